/**
 * What the admin API tells and does where a node is a process on its own (`synod node`). Of the others it tells what the
 * membership says; pending work it operates on at whichever node owns it, as any node can. What takes somebody
 * outside the nodes, it refuses in a sentence.
 */
import type { AdminTarget, MemberStatus, NodeReport } from "../admin/target.ts";
import { SynodError } from "../errors.ts";
import type { HostedNode } from "../host/hosted-node.ts";
import { serviceFacts } from "../host/service-facts.ts";
import type { Log } from "../ports/log.ts";
import type { AnySystem } from "../service/model.ts";

export interface NodePlace {
  /** The node's name. */
  readonly node: string;
  readonly system: AnySystem;
  /** For people to read. */
  readonly store: string;
  readonly drainMs: number;
  readonly log: Log;
  /** Undefined until the node serves. */
  readonly hosted: () => HostedNode | undefined;
}

export function nodeTarget(place: NodePlace): AdminTarget {
  const { node, system, store } = place;
  const serving = (): HostedNode => {
    const hosted = place.hosted();
    if (hosted) return hosted;
    throw new SynodError("unavailable", `${node} does not serve yet: try again`, { retryAfterMs: 500 });
  };
  return {
    availability: async () => {
      const sentence =
        "Nobody measures the availability here: probers run beside the supervisor of `synod up`, outside the nodes. /metrics has what this node answered.";
      throw new SynodError("failed_precondition", sentence);
    },
    report: async () => ({
      system: system.name,
      store,
      http: httpUrl(place),
      supervisorPid: null,
      drills: false,
      services: serviceFacts(system),
      nodes: nodesOf(place),
    }),
    meters: async () => [serving().meters()],
    inspect: (service, key) => serving().node.inspect(service, key),
    work: (query) => serving().node.work(query),
    workDetails: (id) => serving().node.workDetails(id),
    operate: (id, action) => serving().node.operate(id, action),
    drain: (asked) => drain(place, serving(), asked),
    restart: async () => {
      const sentence = `${node} has no supervisor that could start it again: \`synod drain ${node}\` ends it without a failed request, and whatever runs it starts the next process.`;
      throw new SynodError("failed_precondition", sentence);
    },
    strike: async () => {
      throw new SynodError("failed_precondition", "drills are for systems that were started with `synod up --drills`");
    },
    call: (call) => serving().node.gateway.call(call),
  };
}

/** Where the first HTTP adapter answers. */
function httpUrl({ system, hosted }: NodePlace): string | null {
  return hosted()?.urls[system.adapters.findIndex(({ name }) => name === "http")] ?? null;
}

/** This one, and the others as it sees them. */
function nodesOf({ node, hosted }: NodePlace): readonly NodeReport[] {
  const status = hosted()?.node.status();
  const own = { id: node, pid: process.pid, restarts: 0 };
  if (status === undefined) return [{ ...own, address: null, state: "starting" }];
  const { address, state, incarnation } = status;
  const others = status.members.filter((member) => member.incarnation !== incarnation);
  return [{ ...own, address, state, incarnation, status }, ...others.map(memberReport)];
}

function memberReport({ node, address, incarnation }: MemberStatus): NodeReport {
  return { id: node, address, state: "member", incarnation, restarts: 0 };
}

/** The process ends when its node has stopped: see node.ts. */
async function drain({ node, drainMs, log }: NodePlace, hosted: HostedNode, asked: string): Promise<void> {
  const { members, incarnation } = hosted.node.status();
  if (asked !== node) {
    const sentence = members.some((member) => member.node === asked)
      ? `${node} ends nobody but itself: say \`synod drain ${asked}\` where ${asked} runs, or with --admin the URL of its admin API.`
      : `There is no node ${asked}: this system has ${members.map((member) => member.node).join(", ")}.`;
    throw new SynodError(sentence.startsWith("There") ? "not_found" : "failed_precondition", sentence);
  }
  if (!members.some((member) => member.incarnation !== incarnation && !member.draining)) {
    const sentence = `No other node serves that could take over from ${node}: it cannot be drained. SIGTERM ends it.`;
    throw new SynodError("failed_precondition", sentence);
  }
  log.info(`an operator drains ${node}`);
  await hosted.stop(drainMs);
}
