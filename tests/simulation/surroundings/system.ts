/** Handlers that read everything that a run must decide: time, timers, chance. What they read is in their state. */
import nodeCrypto from "node:crypto";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";

const Reader = defineInterface("reader", {
  key: z.string(),
  operations: {
    clocks: command({ output: z.record(z.string(), z.unknown()) }),
    timers: command({ output: z.array(z.string()) }),
    chance: command({ output: z.array(z.unknown()) }),
    threads: command({ output: z.array(z.string()) }),
  },
});

let ticks = 0;
setInterval(() => ticks++, 100);
const loadedAt = Date.now();

const hex = (bytes: ArrayBuffer | Uint8Array) => Buffer.from(bytes as Uint8Array).toString("hex");

const reader = implement(Reader, {
  state: { version: 1, initial: () => ({ read: [] as unknown[] }) },
  operations: {
    clocks: async (ctx) => {
      const [before, monotonic] = [Date.now(), performance.now()];
      await wait(250);
      console.log("read the clocks");
      const read = {
        ahead: before - ctx.now,
        took: Date.now() - before,
        tookMonotonic: Math.round(performance.now() - monotonic),
        date: new Date().toISOString().slice(0, 10),
        words: typeof Date() === "string",
        local: new Date(0).getHours(),
        origin: performance.timeOrigin <= before,
        hrtime: process.hrtime()[0] >= 0,
        aliveMs: Date.now() - loadedAt,
        ticks,
      };
      ctx.state.read = [read];
      return read;
    },
    timers: async (ctx) => {
      const order: string[] = [];
      const cleared = setTimeout(() => order.push("cleared"), 5);
      clearTimeout(cleared);
      clearTimeout(Number(setTimeout(() => order.push("cleared by number"), 5)));
      setTimeout((word: string) => order.push(word), 20, "20");
      setTimeout(() => order.push("10"), 10);
      setImmediate(() => order.push("immediate"));
      queueMicrotask(() => order.push("microtask"));
      await turn();
      const tick = setInterval(() => order.push("tick"), 15);
      const late = await promisify(setTimeout)(40, "promisified");
      clearInterval(tick);
      order.push(late);
      await wait(1_000, "", { signal: AbortSignal.timeout(30) }).catch(({ name, cause }: Error) =>
        order.push(name, (cause as Error).name),
      );
      ctx.state.read = order;
      return order;
    },
    chance: (ctx) => {
      const bytes = new Uint8Array(5);
      const read = [
        Math.random(),
        crypto.randomUUID(),
        hex(crypto.getRandomValues(bytes)),
        nodeCrypto.randomUUID(),
        hex(nodeCrypto.randomBytes(3)),
        nodeCrypto.randomInt(10, 10_000_000),
        hex(nodeCrypto.randomFillSync(new Uint8Array(4))),
        hex(nodeCrypto.pseudoRandomBytes(4)),
      ];
      ctx.state.read = read;
      return read;
    },
    threads: async (ctx) => {
      const scrypt = promisify<string, string, number, nodeCrypto.ScryptOptions, Buffer>(nodeCrypto.scrypt);
      const read = await Promise.all([
        scrypt("password", "salt", 8, { N: 2 }).then(hex),
        crypto.subtle.digest("SHA-256", new Uint8Array(3)).then(hex),
        promisify(gzip)("text").then((zipped) => String(zipped.length)),
      ]);
      ctx.state.read = read;
      return read;
    },
  },
});

const system: System = defineSystem({ name: "surroundings", services: [reader] });
export default system;
