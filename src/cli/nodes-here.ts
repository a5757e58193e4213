/**
 * Several admin APIs of one system as one: nodes on their own (`synod node`) have one each, and those that run on this
 * machine are asked together. What any of them can do is asked of the first; what is one node's own, of that node.
 */
import type { AdminTarget, EntityReport, NodeMeters, NodeReport, SystemReport } from "../admin/target.ts";

export interface FoundSystem {
  readonly client: AdminTarget;
  readonly report: SystemReport;
}

/** Whether it tells of that node itself, and not only what the membership says. */
function isOwn({ state }: NodeReport): boolean {
  return state !== "member";
}

/** Of one system on one store; at least one. */
export function together(found: readonly FoundSystem[]): FoundSystem {
  const all = [...found].sort(byUse);
  const [first] = all;
  if (first === undefined) throw new RangeError("there is nobody to ask");
  if (all.length === 1) return first;
  const { client } = first;
  const of = (node: string): AdminTarget =>
    all.find(({ report }) => report.nodes.some((one) => one.id === node && isOwn(one)))?.client ?? client;
  return {
    report: merged(all.map(({ report }) => report)),
    client: {
      ...client,
      report: async () => merged(await answersOf(all, (one) => one.report())),
      meters: async () => (await answersOf<readonly NodeMeters[]>(all, (one) => one.meters())).flat(),
      inspect: (service, key) => inspect(client, of, service, key),
      drain: (node) => of(node).drain(node),
      restart: (node) => of(node).restart(node),
    },
  };
}

/** A supervisor first, for it can do most; then nodes that serve, by name. */
function byUse(a: FoundSystem, b: FoundSystem): number {
  const rank = ({ report }: FoundSystem): number => {
    if (report.supervisorPid !== null) return 0;
    return report.nodes[0]?.state === "ready" ? 1 : 2;
  };
  return rank(a) - rank(b) || ((a.report.nodes[0]?.id ?? "") < (b.report.nodes[0]?.id ?? "") ? -1 : 1);
}

/** Only the owner knows what it has in memory. */
async function inspect(
  first: AdminTarget,
  of: (node: string) => AdminTarget,
  service: string,
  key: string,
): Promise<EntityReport> {
  const entity = await first.inspect(service, key);
  const owner = entity.owner === null || entity.owner === entity.node ? first : of(entity.owner);
  return owner === first ? entity : await owner.inspect(service, key).catch(() => entity);
}

/** Each node once: as it tells of itself, if it does. */
function merged(reports: readonly SystemReport[]): SystemReport {
  const all = reports.flatMap(({ nodes }) => nodes);
  const own = all.filter(isOwn);
  const nodes = new Map([...all, ...own].map((node) => [node.id, node]));
  return { ...reports[0]!, nodes: [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

/** Of those that answer; rejects as the first does when nobody answers. */
async function answersOf<Answer>(
  all: readonly FoundSystem[],
  ask: (client: AdminTarget) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const settled = await Promise.allSettled(all.map(({ client }) => ask(client)));
  const answers = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const [failure] = settled;
  if (answers.length === 0 && failure?.status === "rejected") throw failure.reason;
  return answers;
}
