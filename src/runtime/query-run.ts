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
import { frozenOf, type Snapshot } from "./snapshot.ts";

export interface QueryRunOptions {
  readonly environment: Environment;
  readonly outgoing: Outgoing;
  readonly invocation: Invocation;
  /** The durable state of the entity; null for a stateless service. */
  readonly snapshot: Snapshot | null;
}

/** Resolves with the reply, at the deadline at the latest. Never rejects. */
export function runQuery({ environment, outgoing, invocation, snapshot }: QueryRunOptions): Promise<GatewayReply> {
  const late = tooLate(invocation, environment.clock.monotonic());
  if (late !== undefined) return Promise.resolve(late);
  return new Promise((resolve) => {
    const settle = (reply: GatewayReply): void => {
      timer.cancel();
      environment.queryRuns.delete(onStop);
      invocation.signal?.removeEventListener("abort", onAbort);
      resolve(reply);
    };
    const run = new HandlerRun(
      {
        environment,
        outgoing,
        invocation,
        attempt: 1,
        state: snapshot === null ? null : readOnly(invocation, snapshot),
        departure: () => Promise.resolve(),
      },
      ({ reply }) => settle(reply),
    );
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
    run.start();
  });
}

function readOnly({ target }: Invocation, snapshot: Snapshot): StateAccess {
  const refuse = (): never => {
    throw new SynodError("internal", `${nameOfTarget(target)} is a query: it cannot change the state`);
  };
  invariant(target.key !== null, "only keyed services have state");
  const { service, key } = target;
  return { get: () => frozenOf(service, key, snapshot), set: refuse, clear: refuse };
}
