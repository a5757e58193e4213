/** Answers that no handler gave: why a command did not get its turn, or why nobody knows what became of it. */
import type { FailReason } from "../core/mailbox/messages.ts";
import { SynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import { type Attempt, type Invocation, nameOfTarget } from "./invocation.ts";
import { failed, failure, withOutcome } from "./replies.ts";

/** The answer to a call that is about to be begun and for which nobody waits any more; undefined while somebody does. */
export function tooLate({ target, signal, deadline }: Invocation, now: number): GatewayReply | undefined {
  if (signal?.aborted) return failure("cancelled", `${nameOfTarget(target)} was not begun: its caller had gone`);
  if (now < deadline) return undefined;
  return failure("deadline_exceeded", `${nameOfTarget(target)} was not begun: its deadline had passed`);
}

/** What only the activation knows the reason of. */
type Told = "rolled-back" | "dropped" | "dropped-unknown" | "blocked" | "parked";

/** `durable`: of a durable command, which goes on when nobody waits for it any more. */
export function refusal(reason: Exclude<FailReason, Told>, name: string, durable: boolean): GatewayReply {
  switch (reason) {
    case "full":
      return failure("resource_exhausted", `too many commands wait for ${name}`, { retryAfterMs: 1_000 });
    case "shed": {
      const message = "too much waits for the store to make it durable";
      return failure("resource_exhausted", message, { retryAfterMs: 1_000 });
    }
    case "mismatch":
      return failure("invalid_argument", `this idempotency key was used with another input for ${name}`);
    case "expired":
      return failure("deadline_exceeded", `${name} did not get it done in time; it did not happen`);
    case "expired-unknown": {
      const message = durable
        ? `${name} has not finished in time; what was accepted goes on, and a repeat under its idempotency key finds it`
        : `${name} did not answer in time; the command may take effect all the same`;
      return failure("deadline_exceeded", message, { outcome: "unknown" });
    }
    case "lookup-failed":
      return failure("unavailable", `the store did not answer for ${name}`, { retryAfterMs: 1_000 });
    case "damaged": {
      const message = `the recorded reply of ${name} is damaged: restore the store from a backup`;
      return failure("data_loss", message, { outcome: "unknown" });
    }
    case "forgotten": {
      const message = `this idempotency key is older than what ${name} remembers: whether it was used is not known`;
      return failure("failed_precondition", message, { outcome: "unknown" });
    }
    case "removed": {
      const message = `an operator dropped this durable command of ${name}; what it had done stays done`;
      return failure("cancelled", message, { outcome: "unknown" });
    }
  }
}

/** To whoever asks what became of a durable command that nobody knows: it may have been done and forgotten. */
export function unknownOutcome(name: string): GatewayReply {
  const message = `${name} knows no such durable command of this caller: it was never accepted, or its outcome is forgotten`;
  return failure("not_found", message, { outcome: "unknown" });
}

/** The entity is on its way to another node: whoever asks again finds it there. */
export function moving(): SynodError {
  return new SynodError("unavailable", "the shard has moved", { retryAfterMs: 100 });
}

export function leaseRanOut(): SynodError {
  return new SynodError("unavailable", "this node's lease has run out", { retryAfterMs: 1_000 });
}

/** Lost for a reason that a repeat may find gone; otherwise (damaged state, say) the reason is the reply. */
export function lost(reason: SynodError, certain: boolean): Attempt {
  const reply = withOutcome(failed(reason), certain ? "not-happened" : "unknown");
  return reason.retryable ? { reply, lost: { certain } } : { reply };
}

/** Why an entity cannot be used: its state is not what this code can read, which the log has too, or did not come. */
export function notLoaded(log: Log, name: string, error: unknown): SynodError {
  if (error instanceof SynodError && error.code !== "unavailable") {
    log.error(`${name} cannot be loaded`, { error });
    return error;
  }
  return new SynodError("unavailable", `${name} could not be loaded from the store`, { cause: error });
}
