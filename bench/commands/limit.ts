/**
 * The least program that does the same work: the owner of `../limit/owner.ts`, asked in its own process. There is no
 * mailbox, no lease and no bound, and a handler could not wait for anything.
 *
 * With idempotency keys a command also leaves its reply in the commit, and a copy of an open command joins it.
 */
import type { Run } from "../bench.ts";
import { type Owner, openOwner } from "../limit/owner.ts";
import { type CounterCommands, measureCommands } from "./load.ts";

interface Reply {
  readonly count: number;
}

const input = { by: 1 };
const inputText = JSON.stringify(input);

class LimitProgram implements CounterCommands {
  readonly #owner: Owner;
  readonly #open = new Map<string, Promise<Reply>>();

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  get commits(): number {
    return this.#owner.commits;
  }

  create(keys: readonly string[]): Promise<unknown> {
    return Promise.all(keys.map((key) => this.add(key, undefined)));
  }

  add(key: string, id: string | undefined): Promise<Reply> {
    const copied = id === undefined ? undefined : this.#open.get(id);
    if (copied !== undefined) return copied;
    const reply = new Promise<Reply>((resolve) => {
      this.#owner.add({ key, input, inputText, id }, (text) => {
        if (id !== undefined) this.#open.delete(id);
        resolve(JSON.parse(text) as Reply);
      });
    });
    if (id !== undefined) this.#open.set(id, reply);
    return reply;
  }
}

export const run: Run = async (options) => {
  const { owner, close } = await openOwner(options.folder);
  try {
    return await measureCommands(new LimitProgram(owner), options);
  } finally {
    await close();
  }
};
