/**
 * `ctx.send` and `ctx.timer`: what a command leaves behind for later. It is collected while the handler runs, and
 * becomes part of the command's change when that returns; of a command that throws nothing is left.
 */
import { SynodError } from "../../errors.ts";
import type { AnyInterface, AnyOperation, AnyService } from "../../service/model.ts";
import type { Duration } from "../../values/durations.ts";
import { parseDuration } from "../../values/durations.ts";
import { encodeJson } from "../../values/json.ts";
import type { Environment } from "../environment.ts";
import type { Invocation } from "../invocation.ts";
import { nameOfEntity } from "../invocation.ts";
import { checkKey } from "../outgoing.ts";
import { type EntityTimers, TimerRoom } from "./entity-timers.ts";

/** What is sent, before it has a number. */
export interface Sent {
  readonly service: string;
  /** Null for a service without keys. */
  readonly target: string | null;
  readonly operation: string;
  /** JSON text; null for an operation without input. */
  readonly input: string | null;
}

/** What a command has left behind, in the order in which it did. */
export interface Left {
  readonly messages: readonly Sent[];
  /** Messages that leave later; `dueAt` in ms since 1970. */
  readonly delayed: readonly { readonly message: Sent; readonly dueAt: number }[];
  /** The last word on each name of a timer; null: it is cleared. */
  readonly timers: ReadonlyMap<
    string,
    { readonly operation: string; readonly input: string | null; readonly dueAt: number } | null
  >;
}

export interface SendingOptions {
  readonly environment: Environment;
  readonly invocation: Invocation;
  /** How many more messages may wait to be delivered. */
  readonly room: () => number;
  /** Those that the entity has; null when it has none. */
  readonly timers: EntityTimers | null;
}

/** The context through which a handler sends. */
export interface SendingContext {
  /** `ctx.now`, ms since 1970. */
  readonly now: number;
  /** Throws when the context must not be used any more. */
  readonly check: () => void;
}

/** What has been left behind so far. */
interface Leaving extends Left {
  readonly messages: Sent[];
  readonly delayed: { readonly message: Sent; readonly dueAt: number }[];
  readonly timers: Map<string, { operation: string; input: string | null; dueAt: number } | null>;
}

const nothing: Left = { messages: [], delayed: [], timers: new Map() };

/** Names of timers are short, and nobody's data. */
const timerNameLengthMax = 128;

export class Sending {
  readonly #options: SendingOptions;
  /** Once there is something: most commands leave nothing behind. */
  #leaving: Leaving | null = null;
  /** Once it is needed. */
  #timerRoom: TimerRoom | null = null;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  /** Null when nothing was left behind. */
  get left(): Left | null {
    return this.#length === 0 ? null : this.#leaving;
  }

  /** `rest` is what follows the interface: the key of a keyed service, then options. */
  send(context: SendingContext, receiver: unknown, rest: readonly unknown[]): unknown {
    const { environment, invocation } = this.#options;
    const own = invocation.target.service;
    const called = receiver as AnyInterface;
    if (!own.sends.includes(called)) {
      const name = (receiver as { name?: unknown } | null)?.name;
      throw new SynodError("internal", `service ${own.interface.name} does not name ${String(name)} in its sends`);
    }
    const service = environment.system.services.find((other) => other.interface === called);
    if (service === undefined) throw new SynodError("unimplemented", `no service implements ${called.name}`);
    const keyed = called.key !== undefined;
    const target = keyed ? checkKey(called, rest[0]) : null;
    const { after } = ((keyed ? rest[1] : rest[0]) ?? {}) as { readonly after?: Duration };
    const afterMs = after === undefined ? 0 : parseDuration(after, "the delay of a message");
    return this.#operations(context, service, nameOfEntity(called.name, target), (operation, input) => {
      const message: Sent = { service: called.name, target, operation, input };
      if (afterMs === 0) return this.#enter(message);
      this.#room.delay();
      this.#left.delayed.push({ message, dueAt: Math.ceil(context.now + afterMs) });
    });
  }

  timer(context: SendingContext, name: unknown): unknown {
    const own = this.#options.invocation.target.service;
    if (!own.sends.includes(own.interface)) {
      const message = `service ${own.interface.name} sets timers and does not name itself in its sends`;
      throw new SynodError("internal", message);
    }
    const checked = checkTimerName(name);
    return {
      set: (time: unknown): unknown => {
        context.check();
        const dueAt = dueAtOf(context, time);
        return this.#operations(context, own, `timer ${checked}`, (operation, input) => {
          this.#room.set(checked);
          this.#left.timers.set(checked, { operation, input, dueAt });
        });
      },
      cancel: (): void => {
        context.check();
        this.#bound();
        this.#room.cancel(checked);
        this.#left.timers.set(checked, null);
      },
    };
  }

  #operations(
    context: SendingContext,
    service: AnyService,
    subject: string,
    leave: (operation: string, input: string | null) => void,
  ): Readonly<Record<string, (input?: unknown) => void>> {
    const operations: Record<string, (input?: unknown) => void> = {};
    for (const [name, operation] of Object.entries(service.interface.operations)) {
      if (operation.kind !== "command") continue;
      operations[name] = (input) => {
        context.check();
        this.#bound();
        leave(name, this.#encode(operation, input, `the input of ${subject}.${name}`));
      };
    }
    return operations;
  }

  #encode(operation: AnyOperation, input: unknown, subject: string): string | null {
    if (input === undefined) return null;
    if (operation.input === undefined) throw new SynodError("invalid_argument", `${subject} must be left out`);
    return encodeJson(input, subject, this.#options.environment.limits.messageBytesMax);
  }

  #enter(message: Sent): void {
    const { messages } = this.#left;
    if (messages.length >= this.#options.room()) {
      const { limits } = this.#options.environment;
      const text = `${limits.outboxLengthMax} messages of this shard wait to be delivered already`;
      throw new SynodError("resource_exhausted", text, { retryAfterMs: 1_000 });
    }
    messages.push(message);
  }

  get #left(): Leaving {
    this.#leaving ??= { messages: [], delayed: [], timers: new Map() };
    return this.#leaving;
  }

  get #room(): TimerRoom {
    const { environment, invocation, timers } = this.#options;
    const { service, key } = invocation.target;
    this.#timerRoom ??= new TimerRoom({
      timers,
      fired: invocation.timer?.name,
      timersMax: environment.limits.timersPerEntityMax,
      entity: nameOfEntity(service.interface.name, key),
    });
    return this.#timerRoom;
  }

  get #length(): number {
    const { messages, delayed, timers } = this.#leaving ?? nothing;
    return messages.length + delayed.length + timers.size;
  }

  #bound(): void {
    const { sendsPerCommandMax } = this.#options.environment.limits;
    if (this.#length < sendsPerCommandMax) return;
    throw new SynodError(
      "resource_exhausted",
      `a command may send ${sendsPerCommandMax} messages and timers at the most`,
    );
  }
}

/** What a JavaScript `Date` can hold. */
const instantMax = 8.64e15;

function dueAtOf({ now }: SendingContext, time: unknown): number {
  const { after, at } = (time ?? {}) as { readonly after?: Duration; readonly at?: unknown };
  if (after !== undefined) return Math.ceil(now + parseDuration(after, "the time of a timer"));
  if (typeof at === "number" && at >= 0 && at <= instantMax) return Math.ceil(at);
  const message = `a timer is set with { after } or { at: ms since 1970 }, not ${String(JSON.stringify(time))}`;
  throw new SynodError("invalid_argument", message);
}

function checkTimerName(name: unknown): string {
  const fits = typeof name === "string" && name.length > 0 && name.length <= timerNameLengthMax;
  // Delayed messages have names that start with "#".
  if (fits && !name.startsWith("#") && name.isWellFormed() && !name.includes("\0")) return name;
  throw new SynodError(
    "invalid_argument",
    `a timer's name has 1 to ${timerNameLengthMax} characters and does not start with "#", unlike ${JSON.stringify(name)}`,
  );
}
