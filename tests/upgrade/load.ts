/** Callers of the first release, who go on while the second one comes in, and add up what they were told. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { type Client, connect } from "../../src/client/index.ts";
import { ask } from "../cluster/bare-http.ts";
import { Till, Wallet } from "./interfaces.ts";

/** Where calls go now: a balancer takes a node out before it is stopped. */
export type Targets = readonly string[];

/** Callers that never think would only be about the processor. */
const thinkMs = 10;

export class Load implements AsyncDisposable {
  readonly failures: string[] = [];
  requests = 0;
  readonly #put = new Map<string, number>();
  readonly #targets: () => Targets;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #libraries = new Map<string, Client>();
  readonly #clients: readonly Promise<void>[];
  #stopped = false;

  /** Half of the callers use the client library, the others bare HTTP without any repeat. */
  constructor(targets: () => Targets, callers: number) {
    this.#targets = targets;
    this.#clients = Array.from({ length: callers }, (_, number) => this.#run(number));
  }

  /** What each wallet must hold now. */
  get put(): ReadonlyMap<string, number> {
    return this.#put;
  }

  async stop(): Promise<void> {
    await this[Symbol.asyncDispose]();
    assert.deepEqual(this.failures, []);
  }

  async #run(number: number): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const targets = this.#targets();
      const url = targets[turn % targets.length]!;
      const wallet = `wallet-${number}-${turn % 16}`;
      const expected = (this.#put.get(wallet) ?? 0) + 1;
      this.requests += 1;
      await new Promise((next) => setTimeout(next, thinkMs));
      try {
        const [held, noted] = number % 2 === 0 ? await this.#byLibrary(url, wallet) : await this.#byHttp(url, wallet);
        this.#put.set(wallet, expected);
        if (held !== expected || noted !== expected) throw new Error(`${wallet} holds ${held} and ${noted}`);
      } catch (error) {
        this.failures.push(`${wallet}: ${String(error)}`);
      }
    }
  }

  async #byLibrary(url: string, wallet: string): Promise<unknown[]> {
    const library = this.#libraries.get(url) ?? connect(url);
    this.#libraries.set(url, library);
    return [await library.to(Wallet, wallet).put(1), await library.to(Till, wallet).note(wallet)];
  }

  async #byHttp(url: string, wallet: string): Promise<unknown[]> {
    const bodies: unknown[] = [];
    for (const [path, input] of [
      [`/wallet/${wallet}/put`, 1],
      [`/till/${wallet}/note`, wallet],
    ] as const) {
      const { status, body } = await ask(url, path, input, { agent: this.#agent });
      if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
      bodies.push(body);
    }
    return bodies;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }
}
