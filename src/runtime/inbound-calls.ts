/**
 * Calls of other nodes: they were checked where they came in, so what is asked here is only whether their
 * caller is still a member, whether this node owns the entity, and whether the call may still be executed.
 */
import { SynodError, toSynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { AnyService } from "../service/model.ts";
import { hashParts } from "../values/hash.ts";
import { derivedRecordId, sessionRecordId } from "../values/ids.ts";
import { rankOfByte } from "../values/priority.ts";
import type { CallBody, ReplyBody } from "../wire/frames.ts";
import type { Environment } from "./environment.ts";
import type { CommandId, Invocation, Target } from "./invocation.ts";
import type { InboundCall } from "./links/calls.ts";
import type { Membership } from "./membership.ts";
import type { Operators, WorkOperation } from "./operators.ts";
import { clusterService, endedCallerCode, operateOperation, releasedOperation } from "./peer-calls.ts";
import { failed } from "./replies.ts";
import type { HereAnswer, Router } from "./router.ts";

export interface InboundCallsOptions {
  readonly environment: Environment;
  readonly membership: Membership;
  readonly router: Router;
  readonly operators: Operators;
}

export class InboundCalls {
  readonly #options: InboundCallsOptions;
  readonly #services: ReadonlyMap<string, AnyService>;
  readonly #inProgress = new Set<Promise<ReplyBody>>();

  constructor(options: InboundCallsOptions) {
    this.#options = options;
    const { services } = options.environment.system;
    this.#services = new Map(services.map((service) => [service.interface.name, service]));
  }

  /** Resolves when every call that is in progress now has its answer. */
  async answered(): Promise<void> {
    await Promise.allSettled(this.#inProgress);
  }

  answer(call: InboundCall): ReplyBody | Promise<ReplyBody> {
    const answer = this.#answer(call);
    if (!(answer instanceof Promise)) return answer;
    const end = (): void => void this.#inProgress.delete(answer);
    this.#inProgress.add(answer);
    answer.then(end, end);
    return answer;
  }

  #answer(call: InboundCall): ReplyBody | Promise<ReplyBody> {
    const { membership, router } = this.#options;
    if (call.body.service === clusterService && call.body.operation === releasedOperation) return this.#notice();
    if (!membership.mayCall(call.incarnation)) {
      const message = `incarnation ${call.incarnation} of ${call.from.node} is not a member any more`;
      return statusOf(failed(new SynodError(endedCallerCode, message, { retryable: false })));
    }
    if (call.body.service === clusterService && call.body.operation === operateOperation)
      return this.#operate(call.body);
    const target = this.#target(call.body);
    if (target === undefined) {
      const { service, operation } = call.body;
      const message = `this node does not host ${service}.${operation}: its system file differs`;
      return statusOf(failed(new SynodError("unimplemented", message)));
    }
    const answer = router.dispatchHere(invocationOf(call, target));
    return answer instanceof Promise ? answer.then(bodyOf) : bodyOf(answer);
  }

  /** Shards were released for this node: its next heartbeat is due now. */
  #notice(): ReplyBody {
    this.#options.membership.poke();
    return { kind: "ok", output: undefined, replayed: false };
  }

  async #operate({ input }: CallBody): Promise<ReplyBody> {
    try {
      await this.#options.operators.operateHere(JSON.parse(input ?? "null") as WorkOperation);
      return { kind: "ok", output: undefined, replayed: false };
    } catch (error) {
      return statusOf(failed(toSynodError(error)));
    }
  }

  #target({ service: name, key, operation: operationName }: CallBody): Target | undefined {
    const service = this.#services.get(name);
    const operations = service?.interface.operations;
    if (service === undefined || operations === undefined || !Object.hasOwn(operations, operationName))
      return undefined;
    if ((service.interface.key === undefined) !== (key === undefined)) return undefined;
    return { service, key: key ?? null, name: operationName, operation: operations[operationName]! };
  }
}

function invocationOf({ body, deadline, signal, priority }: InboundCall, target: Target): Invocation {
  return {
    target,
    input: body.existing ? undefined : body.input,
    requestId: body.request,
    principal: body.principal,
    rank: rankOfByte(priority),
    caller: body.caller ?? body.principal,
    id: target.operation.kind === "command" ? commandIdOf(body) : null,
    deadline,
    signal,
    traceparent: body.traceparent,
    waitFor: body.waitFor,
    existing: body.existing,
  };
}

function commandIdOf({ identity, command, input, existing }: CallBody): CommandId | null {
  if (identity === undefined && command === undefined) return null;
  const inputHash = existing ? (input ?? "") : hashParts(input ?? "");
  if (identity !== undefined) {
    const { session, number, floor, open } = identity;
    return {
      hash: command === undefined ? sessionRecordId(session, number) : derivedRecordId(session, number, command.id),
      inputHash,
      keyTime: null,
      call: { session, number },
      floor: { floor, open },
    };
  }
  return command === undefined ? null : { hash: command.id, inputHash, keyTime: command.keyTime };
}

function bodyOf(answer: HereAnswer): ReplyBody {
  return answer.kind === "moved" ? { kind: "moved", ...answer.hint } : replyBodyOf(answer.reply);
}

function replyBodyOf(reply: GatewayReply): ReplyBody {
  if (reply.ok) return { kind: "ok", output: reply.output, replayed: reply.replayed };
  const { code, message, data } = reply.error;
  if (reply.error.declared) return { kind: "declared", code, message, data, replayed: reply.replayed };
  return statusOf(reply);
}

function statusOf(reply: GatewayReply): ReplyBody {
  if (reply.ok) throw new SynodError("internal", "only failures have a status");
  const { code, message, outcome, retryable, retryAfterMs, violations, thrown, cut } = reply.error;
  const none = violations === undefined && thrown === undefined && cut === undefined;
  const data = none ? undefined : JSON.stringify({ violations, thrown, cut });
  return { kind: "status", code, message, outcome, retryable, retryAfterMs, data };
}
