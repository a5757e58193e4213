/** Handlers that are called back: what they are told, where, and what of their own surroundings is left by then. */
import { AsyncLocalStorage } from "node:async_hooks";
import { createPrivateKey, createPublicKey, randomBytes, scrypt, sign, verify } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";

const Caller = defineInterface("caller", {
  key: z.string(),
  operations: {
    stores: command({ output: z.array(z.int().nullable()) }),
    signature: command({ output: z.array(z.unknown()) }),
    endless: command({ output: z.string() }),
    machine: command({ output: z.string() }),
  },
});

const request = new AsyncLocalStorage<{ readonly id: number }>();

/** The key of RFC 8037, A.1. */
const ed25519 = createPrivateKey({
  key: {
    kty: "OKP",
    crv: "Ed25519",
    d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPjHURo",
  },
  format: "jwk",
});
const text = Buffer.from("text");

const caller = implement(Caller, {
  state: { version: 1, initial: () => ({ calls: 0 }) },
  operations: {
    stores: async (ctx) => {
      ctx.state.calls += 1;
      const ways: ((done: () => void) => void)[] = [
        (done) => setTimeout(done, 5),
        (done) => {
          const interval = setInterval(() => {
            clearInterval(interval);
            done();
          }, 5);
        },
        (done) => setImmediate(done),
        (done) => randomBytes(4, done),
        (done) => scrypt("password", "salt", 8, { N: 2 }, done),
        (done) => process.stdout.write("text\n", done),
        (done) => AbortSignal.timeout(5).addEventListener("abort", done),
      ];
      return Promise.all(
        ways.map(
          (way, id) =>
            new Promise<number | null>((resolve) =>
              request.run({ id }, () => way(() => resolve(request.getStore()?.id ?? null))),
            ),
        ),
      );
    },
    signature: async (ctx) => {
      ctx.state.calls += 1;
      const before = performance.now();
      const signature = await new Promise<Buffer>((resolve, reject) =>
        sign(null, text, ed25519, (error, made) => (error === null ? resolve(made) : reject(error))),
      );
      const isGood = await new Promise<boolean>((resolve, reject) =>
        verify(null, text, createPublicKey(ed25519), signature, (error, is) =>
          error === null ? resolve(is) : reject(error),
        ),
      );
      const secret = await crypto.subtle.importKey("raw", text, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      const hmac = await crypto.subtle.sign("HMAC", secret, text);
      return [isGood, hmac.byteLength, performance.now() - before < 1];
    },
    endless: (ctx) => {
      ctx.state.calls += 1;
      try {
        return String(AbortSignal.timeout(Number.NaN));
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? "";
      }
    },
    machine: (ctx) => {
      ctx.state.calls += 1;
      return `${process.pid} on ${hostname()}`;
    },
  },
});

const system: System = defineSystem({ name: "callbacks", services: [caller] });
export default system;
