/** The context that a handler gets: one class for all kinds of operations; the user's types say what is there. */
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import { type SecretStream, secretStream } from "../values/hash.ts";
import type { HandlerRun } from "./handler-run.ts";
import { nameOfTarget } from "./invocation.ts";
import type { Sending, SendingContext } from "./messages/sending.ts";

/** How a handler sees its entity's state. */
export interface StateAccess {
  get(): unknown;
  set(state: unknown): void;
  /** Back to the initial state, without a row. */
  clear(): void;
}

/** What `ctx.to` takes besides the key. */
export interface CallOptions {
  /** Relative, ms. */
  readonly timeout?: number | string;
  /** Tells concurrent calls to one target apart, in place of their order. */
  readonly id?: string;
}

export class HandlerContext {
  readonly #run: HandlerRun;
  readonly #now: number;
  readonly #deadline: number;
  #stream: SecretStream | undefined;

  constructor(run: HandlerRun) {
    this.#run = run;
    const { environment, invocation } = run.options;
    const wall = environment.clock.wall();
    this.#now = run.options.now ?? wall;
    this.#deadline = wall + Math.max(0, invocation.deadline - run.startedAt);
  }

  get key(): string | undefined {
    return this.#use().options.invocation.target.key ?? undefined;
  }

  get state(): unknown {
    return this.#state().get();
  }

  set state(state: unknown) {
    this.#state().set(state);
  }

  get clear(): () => void {
    return () => this.#state().clear();
  }

  get fail(): (code: string, data: unknown) => SynodError {
    return (code, data) => this.#use().declare(code, data);
  }

  get to(): (callee: unknown, ...rest: unknown[]) => unknown {
    return (callee, ...rest) => this.#use().options.outgoing.to(this.#run, callee, rest);
  }

  get send(): (receiver: unknown, ...rest: unknown[]) => unknown {
    return (receiver, ...rest) => this.#sending().send(this.#sendingContext(), receiver, rest);
  }

  get timer(): (name: unknown) => unknown {
    return (name) => this.#sending().timer(this.#sendingContext(), name);
  }

  /** The steps of a durable command: what comes of `act` is recorded, and not done again once it is. */
  get step(): (name: string, act: () => unknown) => Promise<unknown> {
    return (name, act) => this.#use().options.outgoing.step(this.#run, name, act);
  }

  /** Ms since 1970; the same for the whole run of the handler. */
  get now(): number {
    this.#use();
    return this.#now;
  }

  get random(): () => number {
    return () => this.#secret().number();
  }

  get uuid(): () => string {
    return () => this.#secret().uuid();
  }

  /** Ms since 1970. */
  get deadline(): number {
    this.#use();
    return this.#deadline;
  }

  /** Readable after the end too: it is what tells a handler that it has ended. */
  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get request(): { readonly id: string; readonly attempt: number; readonly principal: string } {
    const { invocation, attempt } = this.#use().options;
    return { id: invocation.id?.hash ?? invocation.requestId, attempt, principal: invocation.principal };
  }

  get log(): Log {
    const { environment, invocation } = this.#use().options;
    const own = { operation: nameOfTarget(invocation.target), request: invocation.requestId };
    const { log } = environment;
    return {
      debug: (message, fields) => log.debug(message, { ...fields, ...own }),
      info: (message, fields) => log.info(message, { ...fields, ...own }),
      warn: (message, fields) => log.warn(message, { ...fields, ...own }),
      error: (message, fields) => log.error(message, { ...fields, ...own }),
    };
  }

  #use(): HandlerRun {
    this.#run.check();
    return this.#run;
  }

  #sending(): Sending {
    const { sending, invocation } = this.#use().options;
    if (sending !== undefined) return sending;
    throw new SynodError(
      "internal",
      `${nameOfTarget(invocation.target)} is no command of a keyed service: it sends nothing`,
    );
  }

  #sendingContext(): SendingContext {
    return { now: this.#now, check: () => this.#run.check() };
  }

  #state(): StateAccess {
    const { state, invocation } = this.#use().options;
    if (state !== null) return state;
    throw new SynodError(
      "internal",
      `${nameOfTarget(invocation.target)} belongs to a stateless service: it has no state`,
    );
  }

  /** Repeatable for the same request, and unpredictable for everybody outside. */
  #secret(): SecretStream {
    const { environment, invocation } = this.#use().options;
    const { target, principal, id, requestId } = invocation;
    const parts = [principal, target.service.interface.name, target.key ?? "", id?.hash ?? requestId];
    this.#stream ??= secretStream(environment.store.identity.secret, ...parts);
    return this.#stream;
  }
}
