/**
 * The program of a load process. It keeps time by short naps of its thread instead of timers, which are as coarse as a
 * millisecond: between two naps it reads what came in and sends what is due.
 */
import { execFileSync } from "node:child_process";
import { constants, setPriority } from "node:os";
import { makeTimedKey } from "../../values/ids.ts";
import { createPrng, type Prng, pick } from "../../values/prng.ts";
import { Connections } from "./connections.ts";
import { CoresTaken } from "./cores-taken.ts";
import type { FromLoad, LoadOrder, PreparedRequest, ToLoad } from "./messages.ts";
import { type OpenCall, OpenLoop } from "./open-loop.ts";

/** The longest nap, ms: as long as an answer may lie unread. */
const napMaxMs = 0.3;
/** A shorter wait is not worth a nap, ms. */
const napMinMs = 0.03;
/** How often connections are looked at whose calls are over, ms. */
const cutIntervalMs = 50;
const keyRandomBytes = 10;

const bed = new Int32Array(new SharedArrayBuffer(4));
let connections: Connections | undefined;
let requests: readonly PreparedRequest[] = [];

process.on("message", (message: ToLoad) => {
  if (message.kind === "target") {
    connections?.close();
    connections = new Connections(message.target, message.connectionsMax);
    requests = message.requests;
    return;
  }
  offer(message.order).catch((error: unknown) => tell({ kind: "failed", message: String(error) }));
});
process.on("disconnect", () => process.exit());
goFirst();

/**
 * A load comes from elsewhere and takes no turns with what it is offered to. In Linux's real-time class it goes before others at once;
 * by its niceness alone it may wait until the slice of another one is over, which takes milliseconds. This thread goes before V8's others there, too, which
 * collect garbage and compile: in that class nobody is interrupted but by a higher priority. They go before all other programs, as this one may wait for them.
 */
function goFirst(): void {
  try {
    const realTime = (priority: number, ...whom: string[]): void =>
      void execFileSync("chrt", [...whom, "--fifo", "--pid", String(priority), String(process.pid)], {
        stdio: "ignore",
      });
    realTime(1, "--all-tasks");
    realTime(2);
  } catch {
    goBefore();
  }
}

/** Where even that is not allowed it stays as it is. */
function goBefore(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Only some users may; the lag watch says whether it mattered.
  }
}

async function offer(order: LoadOrder): Promise<void> {
  if (connections === undefined || requests.length === 0) throw new Error("the load has no target");
  const prng = createPrng(order.seed);
  const began = performance.now();
  const loop = new OpenLoop({ ...order, prng, began, send: (call) => send(loop, call, order.timeoutMs, prng) });
  const countsFrom = began + order.settleMs;
  const taken = new CoresTaken(countsFrom, countsFrom + order.ms);
  await new Promise<void>((resolve) => turn(loop, taken, began, resolve));
  connections.cutOver();
  tell({ kind: "offered", tally: loop.tally(), cores: taken.cores });
}

function turn(loop: OpenLoop, taken: CoresTaken, cutAt: number, resolve: () => void): void {
  const now = performance.now();
  taken.look(now);
  const nextDue = loop.turn(now);
  if (loop.isOver(now)) return resolve();
  const cuts = now >= cutAt;
  if (cuts) connections!.cutOver();
  const napMs = Math.min(napMaxMs, nextDue > now ? nextDue - performance.now() : napMaxMs);
  if (napMs > napMinMs) Atomics.wait(bed, 0, 0, napMs);
  setImmediate(turn, loop, taken, cuts ? now + cutIntervalMs : cutAt, resolve);
}

function send(loop: OpenLoop, call: OpenCall, timeoutMs: number, prng: Prng): void {
  const { head, tail, keyed } = pick(prng, requests);
  const key = keyed ? `Idempotency-Key: ${newKey()}\r\n` : "";
  // What it has waited for a connection is gone from the caller's time.
  const request = (): string => {
    const leftMs = Math.max(1, call.due + timeoutMs - performance.now());
    return `${head}Request-Timeout: ${(leftMs / 1_000).toFixed(3)}\r\n${key}${tail}`;
  };
  connections!.send(call, request, (ending) => {
    const now = performance.now();
    loop.ended(call, ending, now);
    // Answers come in bursts, a commit's at a time: what is due meanwhile does not wait for the last of them.
    loop.turn(now);
  });
}

/** As the client library makes them. */
function newKey(): string {
  return makeTimedKey(Date.now(), crypto.getRandomValues(new Uint8Array(keyRandomBytes)));
}

function tell(message: FromLoad): void {
  if (process.connected) process.send!(message);
}
