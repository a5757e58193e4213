/**
 * Whether a node's name is free. Two processes under one name would take each other's place again and again,
 * so a node looks before it joins: at a member of that name which renews its lease it turns back, unless that
 * one is leaving. One that does not renew is dead, and its lease will be seen to by the membership.
 */
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Member, Store } from "../ports/store.ts";
import { pause } from "./within.ts";

/** More than the time between two renewals, ms. */
const watchMs = 750;
const lookIntervalMs = 50;
/** How long a member of that name may take to leave, ms. */
const leaveMaxMs = 12_000;

/**
 * Resolves when nobody alive has the name; rejects with `failed_precondition` when somebody keeps it. With
 * `nameIsOwn` a member of that name that does not say that it is leaving is known to be dead.
 */
export async function awaitFreeName(store: Store, node: string, nameIsOwn: boolean, log: Log): Promise<void> {
  const started = performance.now();
  const find = async (): Promise<Member | undefined> =>
    (await store.view()).members.find((member) => member.node === node);
  let last = await find();
  let movedAt = started;
  let told = false;
  while (last !== undefined && performance.now() - movedAt < watchMs && (last.draining || !nameIsOwn)) {
    await pause(lookIntervalMs);
    const now = await find();
    if (now !== undefined && (now.incarnation !== last.incarnation || now.renewals !== last.renewals)) {
      movedAt = performance.now();
      if (!now.draining || movedAt - started > leaveMaxMs) throw taken(node);
      if (!told) log.info(`waiting for the former ${node}, which is leaving`);
      told = true;
    }
    last = now;
  }
}

function taken(node: string): SynodError {
  const message = `Another process runs as ${node} on this store, and is alive: stop it, or give this node another name.`;
  return new SynodError("failed_precondition", message);
}
