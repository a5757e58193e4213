/**
 * `ctx.to`: calls that a handler makes and waits for. It offers only the interfaces that the service declares
 * in `calls`, and of these only the operations that the kind of the calling operation may call: whoever holds
 * a turn, or reads, may only read elsewhere.
 */
import { SynodError } from "../errors.ts";
import { isText } from "../ports/form.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { AnyInterface, AnyOperation, AnyService } from "../service/model.ts";
import { validate } from "../service/schema.ts";
import { parseDuration } from "../values/durations.ts";
import { hashParts } from "../values/hash.ts";
import { derivedRecordId } from "../values/ids.ts";
import { encodeJson } from "../values/json.ts";
import { ranks } from "../values/priority.ts";
import { checkText } from "../wire/bytes.ts";
import { keyBytesMax } from "../wire/limits.ts";
import type { CallOptions } from "./handler-context.ts";
import type { HandlerRun } from "./handler-run.ts";
import { type CommandId, commandHash, type Invocation, nameOfEntity, nameOfTarget, type Target } from "./invocation.ts";
import { toError } from "./replies.ts";

export type Dispatch = (invocation: Invocation) => Promise<GatewayReply>;

/** One callee as a handler holds it: the operations of its interface. */
interface Callee {
  readonly run: HandlerRun;
  readonly service: AnyService;
  readonly key: string | null;
  readonly options: CallOptions;
}

type Offered = readonly (readonly [name: string, operation: AnyOperation])[];

/** What a service offers to whom: sorted out once, and not for each call. */
interface Offer {
  readonly all: Offered;
  readonly queries: Offered;
}

type SafeResult = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: SynodError };

export class Outgoing {
  readonly #services: ReadonlyMap<AnyInterface, AnyService>;
  readonly #offers: ReadonlyMap<AnyService, Offer>;
  readonly #dispatch: Dispatch;
  /** How often a run has called each target: what derived ids are made of. */
  readonly #callsByTarget = new WeakMap<HandlerRun, Map<string, number>>();

  constructor(services: readonly AnyService[], dispatch: Dispatch) {
    this.#services = new Map(services.map((service) => [service.interface, service]));
    this.#offers = new Map(services.map((service) => [service, offerOf(service)]));
    this.#dispatch = dispatch;
  }

  /** `rest` is what follows the interface: the key of a keyed service, then options. */
  to(run: HandlerRun, callee: unknown, rest: readonly unknown[]): unknown {
    const caller = run.options.invocation.target;
    const called = callee as AnyInterface;
    if (!caller.service.calls.includes(called)) {
      const name = (callee as { name?: unknown } | null)?.name;
      throw new SynodError(
        "internal",
        `service ${caller.service.interface.name} does not name ${String(name)} in its calls`,
      );
    }
    const service = this.#services.get(called);
    if (service === undefined) throw new SynodError("unimplemented", `no service implements ${called.name}`);
    const keyed = called.key !== undefined;
    const key = keyed ? checkKey(called, rest[0]) : null;
    const options = ((keyed ? rest[1] : rest[0]) ?? {}) as CallOptions;
    return this.#operations({ run, service, key, options });
  }

  #operations(callee: Callee): unknown {
    const operations: Record<string, unknown> = {};
    const { queries, all } = this.#offers.get(callee.service)!;
    for (const [name, operation] of mayCallCommands(callee.run.options.invocation.target) ? all : queries) {
      const target: Target = { service: callee.service, key: callee.key, name, operation };
      const safe = (input?: unknown): Promise<SafeResult> => handled(this.#call(callee, target, input));
      const call = (input?: unknown): Promise<unknown> => handled(safe(input).then(valueOrThrow));
      operations[name] = Object.assign(call, { safe });
    }
    return operations;
  }

  #call({ run, options }: Callee, target: Target, input: unknown): Promise<SafeResult> {
    const name = nameOfTarget(target);
    return run.during(name, async (number) => {
      const text = input === undefined ? undefined : encodeJson(input, `the input of ${name}`);
      const { journaled } = run.options;
      const reply = await (journaled === undefined
        ? this.#callNow(run, options, target, text, number)
        : journaled.call({ target, input: text, options, number }));
      if (!reply.ok) return { ok: false, error: toError(reply.error) };
      return { ok: true, value: reply.output === undefined ? undefined : JSON.parse(reply.output) };
    });
  }

  async #callNow(
    run: HandlerRun,
    options: CallOptions,
    target: Target,
    input: string | undefined,
    number: number,
  ): Promise<GatewayReply> {
    const invocation = this.#invocation(run, options, target, input, number);
    await run.options.departure();
    run.check();
    return this.#dispatch(invocation);
  }

  /** Sends a call that a durable command has journaled. */
  dispatch(invocation: Invocation): Promise<GatewayReply> {
    return this.#dispatch(invocation);
  }

  /** A step of a durable command. */
  step(run: HandlerRun, name: unknown, act: unknown): Promise<unknown> {
    const { invocation, journaled } = run.options;
    const own = nameOfTarget(invocation.target);
    if (journaled === undefined) throw new SynodError("internal", `${own} is not durable: it has no steps`);
    if (typeof name !== "string" || name.length === 0 || typeof act !== "function") {
      throw new SynodError("internal", `a step of ${own} needs a name and a function`);
    }
    return handled(
      run.during(`step ${name}`, async (number) => {
        encodeJson(name, `the name of a step of ${own}`);
        const reply = await journaled.step(name, act as () => unknown, number);
        return reply.ok && reply.output !== undefined ? JSON.parse(reply.output) : undefined;
      }),
    );
  }

  #invocation(
    run: HandlerRun,
    options: CallOptions,
    target: Target,
    input: string | undefined,
    number: number,
  ): Invocation {
    const { invocation, environment } = run.options;
    const { timeout } = options;
    const asked = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, "the timeout of a call");
    return {
      target,
      input,
      requestId: `${invocation.requestId}.${number}`,
      principal: invocation.principal,
      rank: ranks.chain,
      caller: invocation.caller,
      id: target.operation.kind === "command" ? this.#derivedId(run, options, target, input) : null,
      deadline: Math.min(invocation.deadline, environment.clock.monotonic() + asked),
      signal: run.gone,
      traceparent: invocation.traceparent,
    };
  }

  /**
   * The id of a command that a command calls: made of the caller's own id, the target, and the how many-eth
   * call to that same target it is. Its position among all calls would change with unrelated code.
   */
  #derivedId(run: HandlerRun, options: CallOptions, target: Target, input: string | undefined): CommandId | null {
    const { id } = run.options.invocation;
    const name = nameOfTarget(target);
    const counts = this.#callsByTarget.get(run) ?? new Map<string, number>();
    this.#callsByTarget.set(run, counts);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (id === null) return null;
    const { service, key } = target;
    const distinction = options.id === undefined ? `#${count}` : `=${options.id}`;
    const hash = commandHash(
      id.keyTime,
      "derived",
      id.hash,
      service.interface.name,
      key ?? "",
      target.name,
      distinction,
    );
    const inputHash = hashParts(input ?? "");
    const { call, floor } = id;
    if (call === undefined) return { hash, inputHash, keyTime: id.keyTime };
    // It stands in its caller's number, and so lasts as long as that may be repeated.
    const inRange = { hash: derivedRecordId(call.session, call.number, hash), inputHash, keyTime: null, call };
    return floor === undefined ? inRange : { ...inRange, floor };
  }
}

function valueOrThrow(result: SafeResult): unknown {
  if (result.ok) return result.value;
  throw result.error;
}

/** A call that a handler forgot to await fails that command, and must not end the process by its rejection. */
function handled<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

/** The table "Which operation may do what" of docs/guarantees.md: queries may be called by all. */
function mayCallCommands({ operation, key }: Target): boolean {
  return operation.kind === "command" && (key === null || operation.durable);
}

function offerOf({ interface: { operations } }: AnyService): Offer {
  const all = Object.entries(operations);
  return { all, queries: all.filter(([, { kind }]) => kind === "query") };
}

/**
 * A key must be a text that its schema accepts and returns unchanged, so that one entity has one key; and one that can be part
 * of a URL, so that whoever calls from outside reaches every entity that there is; and no longer than links carry, so that it
 * is reached through every node.
 */
export function checkKey(called: AnyInterface, key: unknown): string {
  const subject = `the key of ${called.name}`;
  if (typeof key !== "string") throw new SynodError("invalid_argument", `${subject} must be a string`);
  // Which says where the fault is.
  if (!isText(key)) encodeJson(key, subject);
  checkText(key, keyBytesMax, `key of ${called.name}`);
  // URLs have no way to say these: to them `%2e` is a dot as well, and such a segment is taken out on the way.
  if (key === "." || key === "..") {
    throw new SynodError("invalid_argument", `${subject} cannot be "${key}": it could not be part of a URL`);
  }
  if (validate(called.key!, key, subject) !== key) {
    const violations = [{ path: "$", message: "the schema changes it" }];
    const message = `${subject} must not be changed by its schema: ${nameOfEntity(called.name, key)}`;
    throw new SynodError("invalid_argument", message, { data: { violations } });
  }
  return key;
}
