/**
 * One run of a handler: input decoded and validated, context made, handler called, its result encoded, the
 * context revoked. What is done with the result (commit, answer) is the business of whoever runs it.
 */
import { type Outcome, SynodError, toSynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import { validate } from "../service/schema.ts";
import { ownCopy } from "../values/copies.ts";
import { Gone, type GoneSignal } from "../values/gone.ts";
import { decodeJson, encodeJson } from "../values/json.ts";
import type { Environment } from "./environment.ts";
import { type CallOptions, HandlerContext, type StateAccess } from "./handler-context.ts";
import type { WatchedHandler } from "./handler-watch.ts";
import { type Invocation, nameOfTarget, PartOf, type Target } from "./invocation.ts";
import type { Sending } from "./messages/sending.ts";
import type { Outgoing } from "./outgoing.ts";
import { declared, failed, failure, passesThrough, succeeded, withOutcome, withThrown } from "./replies.ts";
import { thrownInWords } from "./thrown.ts";

export interface HandlerRunOptions {
  readonly environment: Environment;
  readonly outgoing: Outgoing;
  readonly invocation: Invocation;
  /** 1 for the first time that this node runs the handler for this call. */
  readonly attempt: number;
  /** Null for stateless operations. */
  readonly state: StateAccess | null;
  /** What the handler leaves behind for later; absent for queries and stateless operations. */
  readonly sending?: Sending;
  /** Waits until a call of this handler may leave (the exit gate). */
  readonly departure: () => Promise<void>;
  /** `ctx.now`, ms since 1970; left out: the instant of this run. */
  readonly now?: number;
  /** The input, where somebody has decoded it already. */
  readonly decoded?: { readonly input: unknown };
  /** How the calls and steps of a durable command are made. */
  readonly journaled?: JournaledCalls;
  /** What the log says of a failure besides the request: which durable command it was, and which attempt. */
  readonly logFields?: Readonly<Record<string, unknown>>;
}

/** A call of a durable command: it leaves, and its outcome comes back, by way of the journal. */
export interface JournaledCall {
  readonly target: Target;
  /** JSON text. */
  readonly input: string | undefined;
  readonly options: CallOptions;
  /** The number of the call in this run. */
  readonly number: number;
}

/** These promises settle with what is recorded, or never: what else may happen is not for the handler to see. */
export interface JournaledCalls {
  call(call: JournaledCall): Promise<GatewayReply>;
  step(name: string, act: () => unknown, number: number): Promise<GatewayReply>;
}

/** How a handler settled: its reply, and whether that is one that a repeat must get too. */
export interface Settled {
  readonly reply: GatewayReply;
  /** `value`: it returned. `declared`: one of its declared errors. `error`: anything else; the draft is void. */
  readonly kind: "value" | "declared" | "error";
}

export class HandlerRun {
  readonly options: HandlerRunOptions;
  /** The declared errors that it made; null until it makes one, as most handlers never do. */
  #failures: Set<unknown> | null = null;
  /** Made when the signal is first asked for: most handlers never do, and it costs more than all the rest. */
  #abort: AbortController | null = null;
  /** What the handler's calls are told when it has ended. */
  #gone: Gone | null = null;
  readonly #onSettled: (settled: Settled) => void;
  #revoked: string | null = null;
  #settled = false;
  /** Calls that it waits for, by number; null until it makes one. */
  #pendingCalls: Map<number, string> | null = null;
  #callsMade = 0;
  /** Set from where it is waited for. */
  #watched: WatchedHandler | null = null;
  /** On the monotonic clock, ms. */
  startedAt = 0;
  /** Whether the log has its failure. */
  isFailureLogged = false;
  endedAt = 0;

  constructor(options: HandlerRunOptions, onSettled: (settled: Settled) => void) {
    this.options = options;
    this.#onSettled = onSettled;
  }

  /** Runs the handler. Settles in the same turn of the event loop when the handler is synchronous. */
  start(): void {
    const { environment, invocation, decoded } = this.options;
    const { target } = invocation;
    this.startedAt = environment.clock.monotonic();
    let input: unknown;
    try {
      input = decoded === undefined ? decodeInput(invocation) : decoded.input;
    } catch (error) {
      return this.#settle({ kind: "error", reply: failed(toSynodError(error, "not-happened")) });
    }
    let result: unknown;
    let later: Promise<unknown> | undefined;
    try {
      result = target.service.operations[target.name]!(new HandlerContext(this), input);
      // By way of a promise of the engine's: any other thenable may throw, or settle twice.
      if (isThenable(result)) later = Promise.resolve(result);
    } catch (error) {
      return this.#threw(error);
    }
    if (later === undefined) return this.#returned(result);
    if (this.#revoked === null) {
      this.#watched = environment.handlers.waitsFor(invocation, this.startedAt);
      this.#watched.calls = this.#pendingCalls;
    }
    later.then(
      (value) => this.#returned(value),
      (error) => this.#threw(error),
    );
  }

  /** Takes the context away: the turn is over, whatever the handler still does. */
  revoke(reason: string): void {
    if (this.#revoked !== null) return;
    this.#revoked = reason;
    const { environment, journaled } = this.options;
    // What is journaled never comes to an attempt that is over: its handler is left waiting, and no fault of it.
    if (journaled !== undefined) this.#watchEnds();
    if (!this.#settled) environment.counters.abandonedHandlers += 1;
    this.#abort?.abort(new SynodError("cancelled", reason));
    this.#gone?.abort();
  }

  /** Throws when the context must not be used any more. */
  check(): void {
    if (this.#revoked === null) return;
    const name = nameOfTarget(this.options.invocation.target);
    throw new SynodError("failed_precondition", `the context of ${name} was used after ${this.#revoked}`);
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#revoked !== null) this.#abort.abort(new SynodError("cancelled", this.#revoked));
    }
    return this.#abort.signal;
  }

  /** For calls of the handler: fires when nobody waits for them any more. */
  get gone(): GoneSignal {
    if (this.#gone === null) {
      this.#gone = new Gone();
      if (this.#revoked !== null) this.#gone.abort();
    }
    return this.#gone;
  }

  /** Makes one of the operation's declared errors, to be thrown. */
  declare(code: string, data: unknown): SynodError {
    const { target } = this.options.invocation;
    const schema = Object.hasOwn(target.operation.errors, code) ? target.operation.errors[code] : undefined;
    if (schema === undefined) {
      throw ownFault(`it does not declare the error ${code}`);
    }
    const error = new SynodError(code, code, { data });
    this.#failures ??= new Set();
    this.#failures.add(error);
    return error;
  }

  /** Counts a call of the handler for as long as it waits; gives the number of the call in this run. */
  async during<T>(name: string, call: (number: number) => Promise<T>): Promise<T> {
    this.check();
    const { callsPerHandlerMax } = this.options.environment.limits;
    if (this.#pendingCalls === null) {
      this.#pendingCalls = new Map();
      if (this.#watched !== null) this.#watched.calls = this.#pendingCalls;
    }
    const pending = this.#pendingCalls;
    if (pending.size >= callsPerHandlerMax) {
      throw new SynodError("resource_exhausted", `a handler may have ${callsPerHandlerMax} calls waiting at once`);
    }
    const number = ++this.#callsMade;
    pending.set(number, name);
    const { slot } = this.options.invocation;
    slot?.park();
    try {
      const result = await call(number);
      this.check();
      return result;
    } finally {
      slot?.unpark();
      pending.delete(number);
    }
  }

  #watchEnds(): void {
    if (this.#watched !== null) this.options.environment.handlers.ended(this.#watched);
  }

  #returned(value: unknown): void {
    this.#watchEnds();
    if (this.#over()) return;
    try {
      const [pending] = this.#pendingCalls?.values() ?? [];
      if (pending !== undefined) {
        throw ownFault(`it returned while its call to ${pending} was still pending: await it`);
      }
      const reply = succeeded(this.#output(value));
      this.#settle({ kind: "value", reply });
    } catch (error) {
      this.#broke(error);
    }
  }

  #output(value: unknown): string | undefined {
    const { target } = this.options.invocation;
    const { output: schema } = target.operation;
    if (schema === undefined) return undefined;
    const subject = new PartOf("the output", target);
    const valid = validate(schema, value, subject, "internal");
    if (valid === undefined) return undefined;
    return encodeJson(valid, subject, this.options.environment.limits.replyBytesMax);
  }

  #threw(error: unknown): void {
    this.#watchEnds();
    if (this.#over()) return;
    if (this.#failures?.has(error)) return this.#failedAsDeclared(error as SynodError);
    this.#broke(error);
  }

  #failedAsDeclared(error: SynodError): void {
    const { target } = this.options.invocation;
    const subject = `the data of error ${error.code} of ${nameOfTarget(target)}`;
    try {
      const data = validate(target.operation.errors[error.code]!, error.data, subject, "internal");
      const text =
        data === undefined ? undefined : encodeJson(data, subject, this.options.environment.limits.replyBytesMax);
      this.#settle({ kind: "declared", reply: declared(error.code, error.message, text) });
    } catch (broken) {
      this.#broke(broken);
    }
  }

  /**
   * The handler is at fault, or a callee that it did not handle. What Synod found wrong is said to the caller;
   * what the user's code threw stays in the log, because it may say things that are not for callers.
   */
  #broke(error: unknown): void {
    this.#settle({ kind: "error", reply: this.failureOf(error) });
  }

  /** The reply for an undeclared throw. */
  failureOf(error: unknown): GatewayReply {
    const { invocation, environment, logFields } = this.options;
    const outcome = this.#outcomeOfFailure();
    if (passesThrough(error)) return withOutcome(failed(error), outcome);
    const name = nameOfTarget(invocation.target);
    const fields = { request: invocation.requestId, ...logFields };
    // What does not fit a schema says all in its sentence; a stack would show the runtime alone.
    if (isMisfit(error)) environment.log.error(`${name} failed: ${error.message}`, fields);
    else environment.log.error(`${name} failed`, { ...fields, error });
    this.isFailureLogged = true;
    if (isOwnFault(error)) return failure("internal", `${name} failed: ${error.message}`, { outcome });
    const message = `${name} failed with an unexpected error; the log has it under request ${invocation.requestId}`;
    return withThrown(failure("internal", message, { outcome }), thrownInWords(error));
  }

  /** A stateless command may have done its work in the outside world before it failed. */
  #outcomeOfFailure(): Outcome {
    const { operation, key } = this.options.invocation.target;
    return operation.kind === "command" && key === null ? "unknown" : "not-happened";
  }

  #over(): boolean {
    if (this.#revoked === null) return false;
    if (!this.#settled) this.options.environment.counters.abandonedHandlers -= 1;
    this.#settled = true;
    return true;
  }

  #settle(settled: Settled): void {
    const { environment, invocation } = this.options;
    const { service, name } = invocation.target;
    this.endedAt = environment.clock.monotonic();
    const tookMs = this.endedAt - this.startedAt;
    environment.meters.of(service, name).handled(tookMs);
    if (this.#watched === null) environment.handlers.ranFor(tookMs, invocation);
    this.#settled = true;
    this.revoke("its operation had ended");
    this.#onSettled(settled);
  }
}

/** The input as the handler gets it; throws when the operation's schema does not accept it. */
export function decodeInput({ target, input }: Pick<Invocation, "target" | "input">): unknown {
  const { input: schema } = target.operation;
  if (schema === undefined) {
    if (input === undefined) return undefined;
    throw new SynodError("invalid_argument", `${nameOfTarget(target)} takes no input`);
  }
  const subject = new PartOf("the input", target);
  // An absent input is for the schema to judge: it may be optional.
  const value = input === undefined ? undefined : decodeJson(input, subject);
  // Schemas may answer with an object of their own, such as a default: it would be the same one for all entities.
  return ownCopy(validate(schema, value, subject));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

const faults = new WeakSet<object>();

/** A fault of the business logic that Synod found; its message may be told to the caller. */
function ownFault(message: string): SynodError {
  const error = new SynodError("internal", message);
  faults.add(error);
  return error;
}

function isOwnFault(error: unknown): error is SynodError {
  return isMisfit(error) || (error instanceof SynodError && faults.has(error));
}

/** What a handler gave, or left, does not fit its schema. */
function isMisfit(error: unknown): error is SynodError {
  if (!(error instanceof SynodError)) return false;
  return (error.data as { violations?: unknown } | undefined)?.violations !== undefined;
}
