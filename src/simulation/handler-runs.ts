/**
 * Looks over the shoulders of handlers: the same services with handlers that note what they were given, what state
 * they saw and what they left. The handlers themselves, and the runtime that calls them, know nothing of it.
 *
 * A client's operation is found again by its principal, which carries the operation's number behind a `~` on its way
 * through the runtime; handlers see the principal without it.
 */
import { SynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import { initialText } from "../runtime/snapshot.ts";
import type { AnyHandler, AnyInterface, AnyOperation, AnyService, AnySystem } from "../service/model.ts";
import { validate } from "../service/schema.ts";
import { encodeJson } from "../values/json.ts";
import { type ClientOperation, type HandlerRun, type MadeCall, nameOfEntity } from "./operation.ts";
import type { StateShapes } from "./state-shapes.ts";
import { stackOf } from "./user-code/stacks.ts";
import { type HeardCall, watchedCalls } from "./watched-calls.ts";
import { watchedSend, watchedStep, watchedTimer } from "./watched-work.ts";
import type { Process } from "./world/process.ts";

export interface RunObserver {
  /** What brings the states that are noted to one shape. */
  readonly shapes: StateShapes;
  operation(number: number): ClientOperation | null;
  nextRunNumber(): number;
  started(run: HandlerRun): void;
  ended(run: HandlerRun): void;
  /** It makes a call, or does a step. */
  made(run: HandlerRun, call: MadeCall): void;
  /** Its handler knows the outcome of one, be it a value or a declared error. */
  learned(run: HandlerRun, call: MadeCall): void;
  /** A call that this run made was answered with a value. */
  heard(run: HandlerRun, call: HeardCall): void;
}

/** What of a handler's context is looked at. */
interface Context {
  readonly key: string | undefined;
  state: unknown;
  readonly now: number;
  readonly request: { readonly id: string; readonly attempt: number; readonly principal: string };
}

export function principalOf(principal: string, operation: number): string {
  return `${principal}~${operation}`;
}

/** The system as one process runs it, with every handler observed. */
export function observedSystem(system: AnySystem, process: Process, observer: RunObserver): AnySystem {
  const services = system.services.map((service) => {
    const operations: Record<string, AnyHandler> = {};
    for (const [name, handler] of Object.entries(service.operations)) {
      operations[name] = (context, input) =>
        new Observation(service, name, process, observer, context as Context).run(handler, input);
    }
    return { ...service, operations };
  });
  return { ...system, services };
}

type To = (...address: readonly unknown[]) => Parameters<typeof watchedCalls>[0];

const texts = new WeakMap<object, string>();
/** Innermost places of the user's code that a line of the trace has room for. */
const placesMax = 3;

class Observation {
  readonly #service: AnyService;
  readonly #operation: AnyOperation;
  readonly #observer: RunObserver;
  readonly #context: Context;
  readonly #noted: HandlerRun;
  readonly #principal: string;
  /** The draft that the handler holds, once it has asked for it. */
  #draft: { value: unknown } | null = null;
  #cleared = false;

  constructor(service: AnyService, name: string, process: Process, observer: RunObserver, context: Context) {
    this.#service = service;
    this.#operation = service.interface.operations[name]!;
    this.#observer = observer;
    this.#context = context;
    const { id, attempt, principal } = context.request;
    const cut = principal.lastIndexOf("~");
    this.#principal = cut < 0 ? principal : principal.slice(0, cut);
    this.#noted = {
      number: observer.nextRunNumber(),
      process,
      service: service.interface.name,
      key: context.key ?? null,
      operation: name,
      definition: this.#operation,
      kind: this.#operation.kind,
      client: cut < 0 ? null : observer.operation(Number(principal.slice(cut + 1))),
      id,
      attempt,
      startedAt: process.world.now,
      holdsContext: () => process.alive && isUsable(context),
      start: null,
      end: null,
      cleared: false,
      outcome: "running",
      reply: undefined,
      calls: [],
      left: { messages: [], timers: new Map() },
      position: 0,
    };
  }

  run(handler: AnyHandler, input: unknown): unknown {
    this.#observer.started(this.#noted);
    let result: unknown;
    try {
      result = handler(this.#watched(), input);
    } catch (error) {
      this.#threw(error);
      throw error;
    }
    if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") {
      this.#returned(result);
      return result;
    }
    return Promise.resolve(result).then(
      (value) => {
        this.#returned(value);
        return value;
      },
      (error: unknown) => {
        this.#threw(error);
        throw error;
      },
    );
  }

  #watched(): unknown {
    return new Proxy(this.#context, {
      get: (context, name) => {
        const value: unknown = Reflect.get(context, name, context);
        if (name === "state") return this.#looked(value);
        if (name === "request") return { ...(value as Context["request"]), principal: this.#principal };
        if (name === "clear") return () => this.#clear(value as () => void);
        if (name === "to") return (...address: unknown[]) => this.#to(value as To, address);
        return this.#watchedWork(name, value);
      },
      set: (context, name, value) => {
        if (name === "state") this.#draft = { value };
        return Reflect.set(context, name, value, context);
      },
    });
  }

  #to(to: To, address: readonly unknown[]): unknown {
    const [callee, key] = address;
    return watchedCalls(to(...address), callee as AnyInterface, key, {
      made: (name) => this.#made(name),
      heard: (call) => this.#observer.heard(this.#noted, call),
    });
  }

  #watchedWork(name: string | symbol, value: unknown): unknown {
    const { left } = this.#noted;
    const now = (): number => this.#context.now;
    if (name === "send") return watchedSend(value as Parameters<typeof watchedSend>[0], left, now);
    if (name === "timer") return watchedTimer(value as Parameters<typeof watchedTimer>[0], left, now);
    if (name === "step") return watchedStep(value as Parameters<typeof watchedStep>[0], (step) => this.#made(step));
    return value;
  }

  #made(name: string): (outcome: string) => void {
    const { calls } = this.#noted;
    const count = calls.filter((call) => call.name === name).length + 1;
    const heardBefore = calls.filter(({ outcome }) => outcome !== null).length;
    const call: MadeCall = { name, count, heardBefore, outcome: null };
    calls.push(call);
    this.#observer.made(this.#noted, call);
    return (outcome) => {
      call.outcome = outcome;
      this.#observer.learned(this.#noted, call);
    };
  }

  #looked(state: unknown): unknown {
    if (this.#draft === null && !this.#cleared) this.#noted.start ??= this.#inShape(this.#textOf(state));
    if (this.#noted.kind === "command") this.#draft = { value: state };
    return state;
  }

  /** What queries see is frozen and shared; drafts are not. */
  #textOf(state: unknown): string {
    if (typeof state !== "object" || state === null || !Object.isFrozen(state)) return JSON.stringify(state);
    const known = texts.get(state);
    if (known !== undefined) return known;
    const text = JSON.stringify(state);
    texts.set(state, text);
    return text;
  }

  #clear(clear: () => void): void {
    this.#cleared = true;
    this.#noted.cleared = true;
    this.#draft = null;
    clear();
  }

  #returned(value: unknown): void {
    this.#end("value", () => {
      const { output } = this.#operation;
      const valid = output === undefined ? undefined : validate(output, value, "an output", "internal");
      const text = valid === undefined ? undefined : encodeJson(valid, "an output");
      if (this.#noted.kind === "command" && this.#service.state !== undefined) this.#noted.end = this.#stateText();
      return { ok: true, output: text, replayed: false };
    });
  }

  #threw(error: unknown): void {
    if (!(error instanceof SynodError)) this.#sayWhere(error);
    const declares = error instanceof SynodError && Object.hasOwn(this.#operation.errors, error.code);
    if (!declares) return this.#end("failed", () => undefined);
    this.#end("declared", () => {
      const data = validate(this.#operation.errors[error.code]!, error.data, "the data of an error", "internal");
      const { code, message } = error;
      const text = data === undefined ? undefined : encodeJson(data, "the data of an error");
      const reply = { code, declared: true, message, data: text, outcome: "not-happened", retryable: false } as const;
      return { ok: false, error: reply, replayed: false };
    });
  }

  /** For whoever looks at the run, who finds it nowhere else. */
  #sayWhere(error: unknown): void {
    const { process, service, key, operation } = this.#noted;
    const [first, ...places] = stackOf(error).split("\n    at ");
    const below = places.findIndex((place) => place.includes(import.meta.url));
    const own = places.slice(0, below < 0 ? placesMax : Math.min(below, placesMax));
    const words = [first, ...own].join(", at ").replaceAll("\n", " ");
    process.world.trace.aside(process.name, "throws", `${nameOfEntity(service, key)}.${operation}: ${words}`);
  }

  #inShape(text: string): string {
    const { service, key } = this.#noted;
    return this.#observer.shapes.text(service, key!, this.#service.state!.version, text);
  }

  #stateText(): string | null {
    const { key } = this.#noted;
    if (this.#draft !== null) return this.#inShape(encodeJson(this.#draft.value, "a state"));
    return this.#cleared ? this.#inShape(initialText(this.#service, key!)) : null;
  }

  #end(outcome: "value" | "declared" | "failed", reply: () => GatewayReply | undefined): void {
    const noted = this.#noted;
    try {
      noted.reply = reply();
      noted.outcome = outcome;
    } catch {
      // What does not fit its schema, or is no JSON, fails the command.
      noted.outcome = "failed";
      noted.end = null;
    }
    if (noted.outcome !== "value") {
      noted.left.messages.length = 0;
      noted.left.timers.clear();
    }
    // Its context was taken away before: nothing of it counts.
    if (!noted.holdsContext()) noted.outcome = "abandoned";
    this.#observer.ended(noted);
  }
}

/** A context throws whatever it is asked for once it has been taken away. */
function isUsable(context: Context): boolean {
  try {
    return context.request !== undefined;
  } catch {
    return false;
  }
}
