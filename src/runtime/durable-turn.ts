/**
 * One attempt of a durable command: it drives the core that decides what the handler may see, makes its calls and
 * repeats them while their callees wait, and does its steps.
 */
import type { Prerequisite } from "../core/commits/prerequisite.ts";
import { type AttemptEffect, type AttemptInput, DurableAttempt, type Remembered } from "../core/durable/attempt.ts";
import { type AttemptEnd, backoffMs, calleeWaits } from "../core/durable/schedule.ts";
import { invariant } from "../errors.ts";
import type { Timer } from "../ports/clock.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { InboxItem, JournalEntry } from "../ports/work.ts";
import type { AnyService } from "../service/model.ts";
import { parseDuration } from "../values/durations.ts";
import { hashParts } from "../values/hash.ts";
import { encodeJson } from "../values/json.ts";
import { mark } from "../values/marks.ts";
import { ranks } from "../values/priority.ts";
import type { ProgressReport } from "./committer.ts";
import { Draft } from "./draft.ts";
import { callIdOf } from "./durable-item.ts";
import type { Environment } from "./environment.ts";
import { HandlerRun, type JournaledCall, type Settled } from "./handler-run.ts";
import { type CommandId, type Invocation, nameOfTarget, type Target } from "./invocation.ts";
import type { Slot } from "./load.ts";
import type { EntityTimers } from "./messages/entity-timers.ts";
import { type Left, Sending } from "./messages/sending.ts";
import type { Outgoing } from "./outgoing.ts";
import { decodeRecorded, encodeRecorded, succeeded } from "./replies.ts";
import type { Snapshot } from "./snapshot.ts";

export interface DurableTurnOptions {
  readonly environment: Environment;
  readonly outgoing: Outgoing;
  readonly service: AnyService;
  readonly key: string;
  readonly snapshot: Snapshot;
  readonly item: InboxItem;
  readonly target: Target;
  readonly input: unknown;
  /** What earlier attempts have durably issued. */
  readonly journal: readonly JournalEntry[];
  /** Resolves when a call of this attempt may leave: its acceptance, and all that it could have seen, is durable. */
  readonly departure: () => Promise<void>;
  /** How many more messages may wait to be delivered. */
  readonly room: () => number;
  /** Those of the entity; null when it has none. */
  readonly timers: EntityTimers | null;
  /** Commits entries of the item's journal. */
  readonly record: (entries: readonly JournalEntry[], fulfils: Prerequisite) => Promise<ProgressReport>;
  /** See {@link ShardCalls.runTogether}. */
  readonly runTogether: (invocation: Invocation) => Promise<GatewayReply> | undefined;
  /** The id of a keyed command that this item calls, or of a stateless one, with its shard's floor as it is now. */
  readonly idOf: (hash: string, inputHash: string, target: Target) => CommandId;
  readonly onFinished: (left: DurableResult) => void;
  /** `isLogged`: the log has it already, with what the handler threw. */
  readonly onEnded: (end: AttemptEnd, isLogged: boolean) => void;
}

export interface DurableResult {
  readonly reply: GatewayReply;
  /** As in the result of any command's turn. */
  readonly state: string | null | undefined;
  readonly left: Left | null;
}

/** A call or a step that its handler waits for. */
interface Open {
  readonly name: string;
  /** Carries it out before it leaves, where that is possible; null for a step. */
  readonly runTogether: ((requires: Prerequisite) => void) | null;
  /** Makes it, once. */
  readonly make: (first: boolean) => Promise<void>;
  readonly deliver: (reply: GatewayReply) => void;
  readonly step: boolean;
}

export class DurableTurn {
  readonly #options: DurableTurnOptions;
  readonly #attempt: DurableAttempt;
  readonly #draft: Draft;
  readonly #sending: Sending;
  readonly #run: HandlerRun;
  readonly #open = new Map<number, Open>();
  /** How often each target was called: what ids are made of. */
  readonly #callsByTarget = new Map<string, number>();
  #timer: Timer | null = null;
  /** Held until the attempt ends, also while callees are waited for: see `NodeLoad.attempt`. */
  #slot: Slot | null = null;
  #over = false;
  #settled: Settled | null = null;

  constructor(options: DurableTurnOptions) {
    this.#options = options;
    const { environment, outgoing, service, key, snapshot, item, journal, departure } = options;
    this.#attempt = new DurableAttempt(journal);
    this.#draft = new Draft({ service, key, snapshot, environment });
    const invocation = this.#invocation();
    this.#sending = new Sending({ environment, invocation, room: options.room, timers: options.timers });
    this.#run = new HandlerRun(
      {
        environment,
        outgoing,
        invocation,
        sending: this.#sending,
        attempt: item.attempts,
        departure,
        state: this.#draft,
        now: item.acceptedAt,
        decoded: { input: options.input },
        logFields: { item: item.number, attempts: item.attempts },
        journaled: {
          call: (call) => this.#call(call),
          step: (name, act, number) => this.#step(name, act, number),
        },
      },
      (settled) => this.#handlerSettled(settled),
    );
  }

  /** What is durably known of the item's calls, for its next attempt. */
  get journal(): readonly JournalEntry[] {
    return this.#attempt.durable;
  }

  start(): void {
    const { environment, service, target } = this.#options;
    this.#slot = environment.load.attempt(service, target.name);
    this.#timer = environment.clock.setTimer(environment.limits.attemptTimeoutMs, () => this.#timedOut());
    this.#run.start();
  }

  /** The turn is taken away: nothing is decided about the item here. */
  abandon(): void {
    this.#close("its turn was over");
  }

  #invocation(): Invocation {
    const { environment, item, target } = this.#options;
    return {
      target,
      input: item.input ?? undefined,
      requestId: item.request,
      principal: item.principal,
      rank: ranks.chain,
      caller: item.principal,
      id: { hash: item.id, inputHash: item.inputHash, keyTime: item.keyTime },
      deadline: environment.clock.monotonic() + environment.limits.attemptTimeoutMs,
      signal: undefined,
      traceparent: item.traceparent ?? undefined,
    };
  }

  #timedOut(): void {
    const { environment, target } = this.#options;
    const [pending] = [...this.#open.values()].filter(({ step }) => !step);
    const ms = environment.limits.attemptTimeoutMs;
    // A callee that does not answer is waited for in the next attempt; a handler or step that does not end is a fault.
    if (pending !== undefined) {
      const message = `its call to ${pending.name} had no answer within the attempt's ${ms} ms`;
      return this.#end({ kind: "waited", code: "deadline_exceeded", message });
    }
    const message = `${nameOfTarget(target)} did not end within the attempt's ${ms} ms`;
    this.#end({ kind: "failed", code: "deadline_exceeded", message });
  }

  #call({ target, input, options, number }: JournaledCall): Promise<GatewayReply> {
    const name = nameOfTarget(target);
    const { service, key, name: operation } = target;
    const distinction = this.#distinction(name, options.id);
    const id = callIdOf(this.#options.item.id, service.interface.name, key ?? "", operation, distinction);
    const inputHash = hashParts(input ?? "");
    const timeoutMs =
      options.timeout === undefined ? undefined : parseDuration(options.timeout, "the timeout of a call");
    const commandId = target.operation.kind === "command" ? ([id, inputHash, target] as const) : null;
    const invocation = (unsent: boolean, requires?: Prerequisite): Invocation => {
      const { environment } = this.#options;
      const base = this.#invocation();
      const ms = Math.min(timeoutMs ?? environment.limits.timeoutDefaultMs, environment.limits.attemptTimeoutMs);
      return {
        ...base,
        target,
        input,
        requestId: `${base.requestId}.${number}`,
        id: commandId && this.#options.idOf(...commandId),
        unsent,
        requires,
        deadline: environment.clock.monotonic() + ms,
        signal: this.#run.gone,
      };
    };
    let together: Promise<GatewayReply> | undefined;
    return this.#issue(
      number,
      { id, name, inputHash, remembered: rememberedOf(target) },
      {
        runTogether: (requires) => {
          together = this.#options.runTogether(invocation(true, requires));
        },
        make: (first) => this.#repeat(number, name, (tries) => invocation(first && tries === 1), together),
      },
    );
  }

  #step(name: string, act: () => unknown, number: number): Promise<GatewayReply> {
    const id = callIdOf(this.#options.item.id, "step", name, this.#distinction(`step ${name}`, undefined));
    const own = `step ${name}`;
    return this.#issue(
      number,
      { id, name: own, inputHash: "", remembered: "now" },
      { runTogether: null, make: () => this.#act(number, own, act) },
    );
  }

  /** The how many-eth call to that same target, never its position among all; or what its author calls it. */
  #distinction(target: string, explicit: string | undefined): string {
    const count = (this.#callsByTarget.get(target) ?? 0) + 1;
    this.#callsByTarget.set(target, count);
    return explicit === undefined ? `#${count}` : `=${explicit}`;
  }

  #issue(
    call: number,
    issue: { readonly id: string; readonly name: string; readonly inputHash: string; readonly remembered: Remembered },
    how: Pick<Open, "make" | "runTogether">,
  ): Promise<GatewayReply> {
    return new Promise((deliver) => {
      this.#open.set(call, { name: issue.name, ...how, deliver, step: how.runTogether === null });
      this.#drive({ kind: "issue", call, ...issue });
    });
  }

  #drive(input: AttemptInput): void {
    if (this.#over && input.kind !== "written") return;
    for (const effect of this.#attempt.step(input)) this.#perform(effect);
  }

  #perform(effect: AttemptEffect): void {
    if (this.#over && effect.kind !== "write") return;
    switch (effect.kind) {
      case "write": {
        const announced: Prerequisite = { key: this.#options.key, standing: "open" };
        void this.#write(effect.write, effect.entries, announced);
        if (effect.issued !== null && !this.#over) this.#open.get(effect.issued)?.runTogether?.(announced);
        return;
      }
      case "leave":
        return void this.#leave(effect.call, effect.first);
      case "deliver": {
        const open = this.#open.get(effect.call);
        this.#open.delete(effect.call);
        return open?.deliver(decodeRecorded(effect.outcome));
      }
      case "turn":
        return this.#options.environment.clock.soon(() => this.#drive({ kind: "turned" }));
      case "twice": {
        const message = `it made two calls of one id to ${effect.name}: give each an id of its own`;
        return this.#end({ kind: "failed", code: "internal", message });
      }
      case "stray":
        mark("another path");
        return this.#end({ kind: "hopeless", code: "nondeterministic", message: effect.reason });
      case "finish":
        return this.#finish();
    }
  }

  async #write(write: number, entries: readonly JournalEntry[], announced: Prerequisite): Promise<void> {
    const { outcome, error } = await this.#durable(this.#options.record(entries, announced));
    switch (outcome) {
      case "durable":
        return this.#drive({ kind: "written", write });
      case "refused": {
        const message = `the store does not take what its calls came to: ${error?.message ?? ""}`;
        return this.#end({ kind: "failed", code: "internal", message });
      }
      case "failed": {
        const message = `the store cannot write now: ${error?.message ?? ""}`;
        return this.#end({ kind: "waited", code: "unavailable", message });
      }
    }
    // Otherwise the shard was dropped, and this attempt with it.
  }

  /** What the attempt has to wait for at the store. */
  #durable<T>(written: Promise<T>): Promise<T> {
    return this.#slot === null ? written : this.#slot.whileAtStore(written);
  }

  async #leave(call: number, first: boolean): Promise<void> {
    await this.#durable(this.#options.departure());
    if (!this.#over) await this.#open.get(call)?.make(first);
  }

  /**
   * Sends a call until it is answered with what a handler may see, for a bounded number of times. `begun`: the first of
   * them, where it was carried out already.
   */
  async #repeat(
    call: number,
    name: string,
    invocation: (tries: number) => Invocation,
    begun: Promise<GatewayReply> | undefined,
  ): Promise<void> {
    const { environment, outgoing } = this.#options;
    const { callTriesMax, callBackoffBaseMs, callBackoffMaxMs } = environment.limits;
    const backoff = { backoffBaseMs: callBackoffBaseMs, backoffMaxMs: callBackoffMaxMs };
    for (let tries = 1; !this.#over; tries++) {
      const reply = await (tries === 1 && begun !== undefined ? begun : outgoing.dispatch(invocation(tries)));
      if (this.#over) return;
      if (reply.ok || reply.error.declared) {
        return this.#drive({ kind: "answered", call, outcome: encodeRecorded(reply) });
      }
      const { code, message } = reply.error;
      const said = `its call to ${name} failed with ${code}: ${message}`;
      if (!calleeWaits(reply.error)) return this.#end({ kind: "failed", code, message: said });
      if (tries >= callTriesMax) return this.#end({ kind: "waited", code, message: said });
      const ms = backoffMs(tries, environment.random.number(), backoff);
      await new Promise<void>((resolve) => environment.clock.setTimer(ms, resolve));
    }
  }

  async #act(call: number, name: string, act: () => unknown): Promise<void> {
    const { environment } = this.#options;
    try {
      const value = await act();
      const text =
        value === undefined
          ? undefined
          : encodeJson(value, `what the ${name} came to`, environment.limits.replyBytesMax);
      this.#drive({ kind: "answered", call, outcome: encodeRecorded(succeeded(text)) });
    } catch (error) {
      if (!this.#over) this.#end(this.#failure(this.#run.failureOf(error)));
    }
  }

  #handlerSettled(settled: Settled): void {
    if (this.#over) return;
    if (settled.kind === "error") return this.#end(this.#failure(settled.reply));
    this.#settled = settled;
    this.#drive({ kind: "ended" });
  }

  #finish(): void {
    const settled = this.#settled;
    invariant(settled !== null, "only a handler that has settled finishes");
    try {
      const state = settled.kind === "value" ? this.#draft.left() : undefined;
      const left = settled.kind === "value" ? this.#sending.left : null;
      this.#close("its operation had ended");
      this.#options.onFinished({ reply: settled.reply, state, left });
    } catch (error) {
      this.#end(this.#failure(this.#run.failureOf(error)));
    }
  }

  #failure(reply: GatewayReply): AttemptEnd {
    invariant(!reply.ok, "only failures have a status");
    const { code, message, thrown } = reply.error;
    return { kind: "failed", code, message, ...(thrown && { thrown }) };
  }

  #end(end: AttemptEnd): void {
    if (this.#over) return;
    this.#close("its attempt had ended");
    this.#options.onEnded(end, this.#run.isFailureLogged);
  }

  #close(why: string): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#slot?.release(this.#options.environment.clock.monotonic());
    this.#slot = null;
    this.#open.clear();
    this.#run.revoke(why);
  }
}

/** A keyed command's record answers repeats; of everything else the item's own journal must. */
function rememberedOf({ key, operation }: Target): Remembered {
  if (operation.kind === "query") return "soon";
  return key === null ? "now" : "callee";
}
