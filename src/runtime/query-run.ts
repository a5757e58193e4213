/** Runs queries, and everything that is stateless: no turn, no draft, nothing to commit. */
import { invariant, SynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { Environment } from "./environment.ts";
import type { StateAccess } from "./handler-context.ts";
import { HandlerRun } from "./handler-run.ts";
import { type Invocation, nameOfTarget } from "./invocation.ts";
import type { Outgoing } from "./outgoing.ts";
import { tooLate } from "./refusals.ts";
import { failure } from "./replies.ts";
import type { Snapshot } from "./snapshot.ts";

export interface QueryRunOptions {
  readonly environment: Environment;
  readonly outgoing: Outgoing;
  readonly invocation: Invocation;
  /** The durable state of the entity; null for a stateless service. */
  readonly snapshot: Snapshot | null;
}

/**
 * The reply: at once where the handler is synchronous, else at the deadline at the latest. Never rejects. Deadline, caller
 * and node are watched only from where the handler has to be waited for: nothing could be heard of them before.
 */
export function runQuery(options: QueryRunOptions): GatewayReply | Promise<GatewayReply> {
  const { environment, outgoing, invocation, snapshot } = options;
  const late = tooLate(invocation, environment.clock.monotonic());
  if (late !== undefined) return late;
  let settled: GatewayReply | undefined;
  let settle = (reply: GatewayReply): void => {
    settled = reply;
  };
  const state = snapshot === null ? null : readOnly(invocation, snapshot);
  const run = new HandlerRun({ environment, outgoing, invocation, attempt: 1, state, departure: atOnce }, ({ reply }) =>
    settle(reply),
  );
  run.start();
  const early = settled as GatewayReply | undefined;
  if (early !== undefined) return early;
  return new Promise((resolve) => {
    const stopWatching = watch(options, run, (reply) => settle(reply));
    settle = (reply) => {
      stopWatching();
      resolve(reply);
    };
  });
}

/** Gives the run up when its deadline passes, its caller goes or the node stops. Returns how to stop watching. */
function watch(
  { environment, invocation }: QueryRunOptions,
  run: HandlerRun,
  settle: (reply: GatewayReply) => void,
): () => void {
  const give = (code: string, words: string): void => {
    run.revoke(words);
    const stateless = invocation.target.key === null && invocation.target.operation.kind === "command";
    const outcome = stateless ? "unknown" : "not-happened";
    settle(failure(code, `${nameOfTarget(invocation.target)} was given up: ${words}`, { outcome }));
  };
  const onAbort = (): void => give("cancelled", "its caller had gone");
  const onStop = (): void => give("unavailable", "this node has stopped");
  const remainingMs = Math.max(0, invocation.deadline - environment.clock.monotonic());
  const timer = environment.clock.setTimer(remainingMs, () => give("deadline_exceeded", "its deadline had passed"));
  invocation.signal?.addEventListener("abort", onAbort);
  environment.queryRuns.add(onStop);
  return () => {
    timer.cancel();
    environment.queryRuns.delete(onStop);
    invocation.signal?.removeEventListener("abort", onAbort);
  };
}

function atOnce(): Promise<void> {
  return Promise.resolve();
}

function readOnly({ target }: Invocation, snapshot: Snapshot): StateAccess {
  const refuse = (): never => {
    throw new SynodError("internal", `${nameOfTarget(target)} is a query: it cannot change the state`);
  };
  invariant(target.key !== null, "only keyed services have state");
  const { service, key } = target;
  return { get: () => snapshot.frozen(service, key), set: refuse, clear: refuse };
}
