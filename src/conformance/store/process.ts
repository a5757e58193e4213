/**
 * Other processes on the same database: what they do, and how a test starts, hears and kills them. The adapter's
 * tests bring a program that calls {@link storeProcess}, because only they know how to open their store.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { EntityChange, ShardChanges, Store } from "../../ports/store.ts";
import type { JournalEntry } from "../../ports/work.ts";
import { contend } from "./contend.ts";
import { changes, claim, type Owner, own, put, record } from "./fixture.ts";
import { attempt, entry, item, message, nothingPending, type Pending, progressOf, timer, working } from "./pending.ts";

/**
 * The body of an adapter's test program: does what its command line says, on the store that `open` opens.
 *
 * @example
 * ```ts
 * await storeProcess(async (location) => await openMyStore(location));
 * ```
 */
export async function storeProcess(open: (location: string) => Promise<Store>): Promise<void> {
  const [location, role, service, rounds] = process.argv.slice(2);
  assert.ok(location !== undefined && service !== undefined);
  const store = await open(location);
  if (role === "contend") say(JSON.stringify(await contend(store, service, Number(rounds))));
  else if (role === "write") await writeUntilKilled(store, service);
  else assert.fail(`a process of a store cannot be "${role}"`);
  await store.close();
}

/** Synchronously, so that what was answered has been said when the next request starts. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** The keys that {@link writeUntilKilled} changes together, in each of two shards. */
export const writtenKeys: readonly string[] = ["a", "b", "c"];

/** What {@link writeUntilKilled} leaves of pending work at each version: an item, a message and a timer of one entity. */
export function writtenWork(version: number): Pending & { readonly journal: readonly JournalEntry[] } {
  if (version === 0) return { ...nothingPending, journal: [] };
  const number = 3 * version;
  return {
    items: [item(number, workKey, { attempts: 2 })],
    journal: [entry("a", `${version}`)],
    messages: [message(number + 1, workKey, { attempts: 1 })],
    timers: [timer(number + 2, workKey)],
  };
}

export const workKey = "worker";

function workAt(version: number): EntityChange {
  const { messages, timers } = writtenWork(version);
  const finished = writtenWork(version - 1).items.map(({ number }) => number);
  const sent = messages.map((each) => ({ ...each, attempts: 0 }));
  return working(workKey, 0, { accepted: [item(3 * version, workKey)], finished, sent, timersSet: timers });
}

function progressAt(version: number): Pick<ShardChanges, "progress" | "sessionNext"> {
  const { messages, journal } = writtenWork(version);
  const progress = progressOf({
    items: [attempt(3 * version, 2, { journal })],
    messages: messages.map(({ number, attempts, parked }) => ({ number, attempts, parked })),
    messagesSettled: writtenWork(version - 1).messages.map(({ number }) => number),
  });
  return { sessionNext: 3 * version + 3, progress };
}

/** Raises the version of several rows in two shards, together, for ever; says each version once it is durable. */
async function writeUntilKilled(store: Store, service: string): Promise<void> {
  const first = await own(store, service);
  const shard = { service, number: 1 };
  const owners: Owner[] = [first, { ...first, shard, epoch: await claim(store, first.incarnation, shard) }];
  say(String(first.incarnation));
  for (let version = 1; ; version++) {
    const shards = owners.map((owner) => {
      const entities = writtenKeys.map((key) => put(key, version - 1, version, [record(`${key}-${version}`)]));
      return { ...changes(owner, ...entities, workAt(version)), ...progressAt(version) };
    });
    const result = await store.commit({ incarnation: first.incarnation, shards });
    assert.equal(result.status, "committed");
    say(String(version));
  }
}

export interface StoreProcess extends AsyncDisposable {
  /** The next line that it says. Rejects when it ends without one. */
  line(): Promise<string>;
  /** Kills it as `kill -9` does, and answers the lines that had not been asked for. */
  kill(): Promise<string[]>;
}

/** Starts the adapter's program in a role. */
export function startProcess(
  program: URL,
  location: string | undefined,
  role: string,
  ...rest: string[]
): StoreProcess {
  assert.ok(location !== undefined, "a store that other processes can open has a location");
  const child = spawn(
    process.execPath,
    [...process.execArgv.filter(isForPrograms), fileURLToPath(program), location, role, ...rest],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = async (): Promise<string[]> => {
    child.kill("SIGKILL");
    await exited;
    const rest: string[] = [];
    for (let next = await lines.next(); !next.done; next = await lines.next()) rest.push(next.value);
    return rest;
  };
  return {
    kill,
    line: async () => {
      const { done, value } = await lines.next();
      assert.ok(!done, `the process that was to ${role} has ended`);
      return value;
    },
    [Symbol.asyncDispose]: async () => {
      await kill();
    },
  };
}

/** The runner's own flags would make a test run of the program. */
function isForPrograms(flag: string): boolean {
  return !flag.startsWith("--test");
}
