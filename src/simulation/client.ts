/**
 * A simulated client: asks for one thing at a time, at whichever node it likes, and repeats what may be repeated, as
 * Synod's client library does. It lives outside of the machines and has a network of its own, which may lose its
 * requests and the answers to them.
 */
import type { GatewayCall, GatewayReply } from "../ports/gateway.ts";
import { makeTimedKey } from "../values/ids.ts";
import { chance, type Prng, pick } from "../values/prng.ts";
import { principalOf } from "./handler-runs.ts";
import { isReply, type Judge } from "./judge.ts";
import type { Machine } from "./machine.ts";
import { type ClientOperation, describeOperation, describeReply, nameOfEntity, type Request } from "./operation.ts";
import { epochMs } from "./world/machine-clock.ts";
import { seededRandom } from "./world/process.ts";
import { between, skewed, type World } from "./world/world.ts";

export interface ClientOptions {
  readonly name: string;
  /** Whose idempotency keys it sends; its own, by its name, when absent. */
  readonly principal?: string;
  readonly world: World;
  readonly judge: Judge;
  readonly machines: readonly Machine[];
  /** Records are forgotten within the run: only keys that say when they were made are refused then. */
  readonly timedKeys: boolean;
  /** How likely it asks the machine that it likes best; drawn when absent. */
  readonly loyalty?: number | undefined;
}

/** What a client does with its next moments. */
export interface Behaviour {
  /** How long it waits for an answer to each attempt, ms. */
  readonly timeoutMs: number;
  /** How often it asks in all. */
  readonly attemptsMax: number;
  /** It waits and asks no more when this has passed since it first asked, ms. */
  readonly lastsMs?: number;
  /** How likely it is that an answer is lost on its way to the client. */
  readonly answerLost: number;
}

type Heard = { readonly kind: "reply"; readonly reply: GatewayReply } | { readonly kind: "refused" | "lost" };

/** Between a client and a node, one way, ms. */
const delayMinMs = 0.1;
const delayMaxMs = 5;
/** Beyond its timeout a client waits this much longer for an answer, ms. */
const graceMs = 200;
const timedKeyRandomBytes = 10;

export class Client {
  readonly name: string;
  /** What it asks for, and when, where nobody says it. */
  readonly prng: Prng;
  readonly #options: ClientOptions;
  #turns = 0;
  /** The machine that it likes best, and how likely it is to ask there. */
  readonly #home: number;
  readonly #loyalty: number;
  /** Whether its idempotency keys are those of the client library, which say when they were made. */
  readonly #timedKeys: boolean;

  constructor(options: ClientOptions) {
    this.name = options.name;
    this.#options = options;
    this.prng = options.world.prng(`client/${options.name}`);
    const habits = options.world.prng(`client/${options.name}/habits`);
    this.#home = habits.below(options.machines.length);
    this.#loyalty = options.loyalty ?? pick(habits, [0, 0.5, 0.95]);
    this.#timedKeys = options.timedKeys || chance(habits, 0.5);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.world.after(ms, resolve));
  }

  /** An instant of the world in microseconds; at once when it has passed. */
  sleepUntil(atUs: number): Promise<void> {
    return new Promise((resolve) => this.#options.world.at(atUs, resolve));
  }

  /**
   * Asks, and asks again, until there is an answer or no sense in asking. Each operation has chance of its own, named
   * by its `turn` among those of this client, so that leaving one out moves nothing for the others.
   */
  async perform(request: Request, behaviour: Behaviour, turn: number = this.#turns + 1): Promise<ClientOperation> {
    const { world, judge } = this.#options;
    this.#turns = Math.max(this.#turns, turn);
    const repeatable = request.key !== undefined && request.repeatable !== false;
    const operation = judge.invoked(request, {
      client: this.name,
      principal: this.#options.principal ?? this.name,
      inputText: request.input === undefined ? undefined : JSON.stringify(request.input),
      idempotencyKey: repeatable ? this.#keyOf(turn, request.idempotencyKey) : undefined,
    });
    world.trace.add(this.name, "asks", describeOperation(operation));
    await this.#attempts(operation, behaviour, world.prng(`client/${this.name}/${turn}`));
    world.trace.add(this.name, "hears", heardWords(operation));
    return operation;
  }

  /** `given`: by whoever asks. Where records are forgotten, a key with a time in it stands for that one as well. */
  #keyOf(turn: number, given: string | undefined): string {
    const { world, timedKeys } = this.#options;
    if (given !== undefined && !timedKeys) return given;
    if (!this.#timedKeys) return `${this.name}-${turn}`;
    const random = seededRandom(world.prng(`client/${this.name}/${turn}/key`));
    return makeTimedKey(epochMs + world.now, random.bytes(timedKeyRandomBytes));
  }

  /** Asks again for something whose outcome nobody knows, under the same idempotency key. */
  async resolve(operation: ClientOperation, behaviour: Behaviour): Promise<boolean> {
    if (operation.idempotencyKey === undefined) return true;
    const again = this.#options.world.prng(`client/${operation.idempotencyKey}/again`);
    await this.#attempts(operation, behaviour, again);
    return operation.outcome === "ok";
  }

  async #attempts(operation: ClientOperation, behaviour: Behaviour, prng: Prng): Promise<void> {
    const { judge, world } = this.#options;
    const until = world.now + (behaviour.lastsMs ?? Number.POSITIVE_INFINITY);
    const mayRepeat = operation.kind === "query" || operation.idempotencyKey !== undefined;
    let unknown = operation.outcome === "info";
    let reply: GatewayReply | undefined;
    operation.refusals = [];
    for (let attempt = 1; attempt <= behaviour.attemptsMax; attempt++) {
      const timeoutMs = Math.min(behaviour.timeoutMs, until - world.now);
      const heard = await this.#ask(operation, { ...behaviour, timeoutMs }, prng);
      if (heard.kind === "reply") {
        reply = heard.reply;
        if (isReply(reply)) return judge.completed(operation, "ok", reply);
        if (!reply.ok) operation.refusals.push(reply.error.message);
        if (!reply.ok && reply.error.outcome === "unknown") unknown = true;
        if (!reply.ok && !reply.error.retryable && reply.error.code !== "deadline_exceeded") break;
      } else if (heard.kind === "lost") unknown = true;
      if ((unknown && !mayRepeat) || world.now >= until) break;
      await this.sleep(Math.min(between(prng, 5, 400), until - world.now));
      if (world.now >= until) break;
    }
    judge.completed(operation, unknown && operation.kind === "command" ? "info" : "fail", reply);
  }

  /** One attempt at one node. */
  #ask(operation: ClientOperation, { timeoutMs, answerLost }: Behaviour, prng: Prng): Promise<Heard> {
    const { world, judge, machines } = this.#options;
    const machine = chance(prng, this.#loyalty) ? machines[this.#home]! : pick(prng, machines);
    const losesAnswer = chance(prng, answerLost);
    const abort = new AbortController();
    const name = nameOfCall(operation);
    const { trace } = world;
    trace.add(this.name, "calls", `${machine.name} for ${name}`);
    const there = trace.sent(this.name, machine.name, [`ask ${name}`]);
    return new Promise((resolve) => {
      let settled = false;
      const settle = (heard: Heard): void => {
        if (settled) return;
        settled = true;
        machine.waiting.delete(onGone);
        world.cancel(timer);
        world.trace.add(
          this.name,
          "gets",
          `${heard.kind === "reply" ? describeReply(heard.reply) : heard.kind} for ${name}`,
        );
        resolve(heard);
      };
      const onGone = (): void => void world.after(delayMs(prng), () => settle({ kind: "lost" }));
      const timer = world.after(timeoutMs + graceMs, () => {
        const { process } = machine;
        settle({ kind: "lost" });
        process?.deliver(() => abort.abort());
      });
      world.after(delayMs(prng), () => {
        const { process, running } = machine;
        if (settled) return;
        if (process === null || running === null || !process.alive) {
          return void world.after(delayMs(prng), () => settle({ kind: "refused" }));
        }
        trace.arrived(there);
        machine.waiting.add(onGone);
        process.deliver(() => {
          void running.gateway.call(this.#call(operation, timeoutMs, abort.signal)).then((reply) => {
            trace.add(machine.name, "answers", `${describeReply(reply)} to ${name}`);
            const back = trace.sent(machine.name, this.name, [`answer ${describeReply(reply)} to ${name}`]);
            judge.left(operation, reply);
            if (losesAnswer) return;
            world.after(delayMs(prng), () => {
              trace.arrived(back);
              settle({ kind: "reply", reply });
            });
          });
        });
      });
    });
  }

  #call(operation: ClientOperation, timeoutMs: number, signal: AbortSignal): GatewayCall {
    const { service, key, operation: name } = operation.request;
    return {
      service,
      key,
      operation: name,
      input: operation.inputText,
      idempotencyKey: operation.kind === "command" ? operation.idempotencyKey : undefined,
      timeoutMs,
      // Of the first under its key, or else the system would take them for two.
      principal: principalOf(operation.principal, operation.underItsKey[0]!.number),
      signal,
    };
  }
}

/** `ok {"balance":5}`, `fail: unavailable (not-happened)`. */
function heardWords({ outcome, reply }: ClientOperation): string {
  return outcome === "ok" ? describeReply(reply) : `${outcome}: ${describeReply(reply)}`;
}

function delayMs(prng: Prng): number {
  return skewed(prng, delayMinMs, delayMaxMs);
}

/** `#12 account/alice.deposit`. */
function nameOfCall({ number, request }: ClientOperation): string {
  return `#${number} ${nameOfEntity(request.service, request.key)}.${request.operation}`;
}
