/** Looks at one entity without changing anything, not even what is in memory. */
import { SynodError } from "../errors.ts";
import type { EntityRow } from "../ports/store.ts";
import { notAmong } from "../values/nearest.ts";
import type { Environment } from "./environment.ts";
import type { Membership } from "./membership.ts";
import type { EntityInspection } from "./node.ts";
import { checkKey } from "./outgoing.ts";
import { readEntityWork } from "./pending-work.ts";
import type { Shards } from "./shards.ts";

export async function inspectEntity(
  environment: Environment,
  shards: Shards,
  membership: Membership,
  serviceName: string,
  key: string,
): Promise<EntityInspection> {
  const service = environment.system.services.find((candidate) => candidate.interface.name === serviceName);
  if (service === undefined) {
    const names = environment.system.services.map((candidate) => candidate.interface.name);
    throw notAmong(`no service ${serviceName}`, serviceName, names);
  }
  if (service.state === undefined) {
    throw new SynodError("invalid_argument", `${serviceName} is stateless: it has no entities`);
  }
  const shard = shards.ofKey(service, checkKey(service.interface, key));
  const [result, work] = await Promise.all([
    environment.reader.read({ kind: "entity", shard: shard.id, key }),
    readEntityWork(environment, shard.id, key),
  ]);
  if (result.kind === "corrupt") throw result.error;
  const row: EntityRow | null = result.kind === "entity" ? result.row : null;
  const ownership = membership.view.shards.find(
    (candidate) => candidate.shard.service === serviceName && candidate.shard.number === shard.id.number,
  );
  const owner = membership.view.members.find((member) => member.incarnation === ownership?.owner);
  const activation = shard.activations.get(key);
  return {
    service: serviceName,
    key,
    shard: shard.id.number,
    owner: owner?.node ?? null,
    epoch: ownership?.epoch ?? 0,
    version: row?.version ?? 0,
    stateVersion: row?.stateVersion ?? service.state.version,
    state: row === null ? service.state.initial(key) : JSON.parse(row.state),
    node: environment.node,
    active: activation !== undefined,
    queued: activation?.queued ?? 0,
    work,
  };
}
