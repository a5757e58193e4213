/** A handler that reaches for the outside world in every way that is asked of it, and hides that it was refused. */
import { spawn } from "node:child_process";
import * as nodeCrypto from "node:crypto";
import { lookup } from "node:dns/promises";
import { existsSync, readFileSync, writeSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { connect, createServer } from "node:net";
import { freemem } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { createGzip } from "node:zlib";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";
// @ts-expect-error: it has no types.
import commonJs from "./counted.cjs";

const here = new URL(import.meta.url);
/** While it is loaded a module may read files. */
const ownText = readFileSync(here, "utf8");

const p256 = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
};
/** The key of RFC 7515, A.3. */
const ecKey = nodeCrypto.createPrivateKey({ key: p256, format: "jwk" });
const rsaPss = { key: ecKey, padding: nodeCrypto.constants.RSA_PKCS1_PSS_PADDING };
const bytes = new Uint8Array(8);
/** What is refused is refused before anybody looks at the key. */
const anyKey = {} as nodeCrypto.webcrypto.CryptoKey;

const ways: Readonly<Record<string, () => unknown>> = {
  "fetch()": () => fetch("http://127.0.0.1:9/"),
  WebSocket: () => new WebSocket("ws://127.0.0.1:9/"),
  MessageChannel: () => new MessageChannel(),
  "fs.readFileSync()": () => readFileSync(here),
  "fs.existsSync()": () => existsSync(here),
  "fs.writeSync()": () => writeSync(17, "text"),
  "fs.promises.readFile()": () => readFile(here),
  "fs.promises.writeFile()": () => writeFile("/nowhere/at/all", ""),
  "net.connect()": () => connect(9, "127.0.0.1"),
  "Server.listen()": () => createServer().listen(0, "127.0.0.1"),
  "https.get()": () => get("https://127.0.0.1:9/"),
  "dns.promises.lookup()": () => lookup("localhost"),
  "child_process.spawn()": () => spawn("true"),
  "worker_threads.Worker": () => new Worker(here),
  "DatabaseSync.exec()": () => new DatabaseSync(":memory:").exec("SELECT 1"),
  "zlib.createGzip()": () => createGzip(),
  "crypto.generateKeyPairSync()": () => nodeCrypto.generateKeyPairSync("ed25519"),
  "crypto.subtle.generateKey()": () => crypto.subtle.generateKey("Ed25519", true, ["sign"]),
  "crypto.publicEncrypt()": () => nodeCrypto.publicEncrypt("no key", bytes),
  "crypto.sign() with a key of type ec": () => nodeCrypto.sign("sha256", bytes, ecKey),
  "crypto.sign() with padding as in PSS": () => nodeCrypto.sign("sha256", bytes, rsaPss),
  "Sign.sign() with a key of type ec": () =>
    nodeCrypto
      .createSign("sha256")
      .update(bytes)
      .sign({ key: ecKey.export({ format: "pem", type: "pkcs8" }) }),
  "crypto.subtle.sign() with ECDSA": () => crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, anyKey, bytes),
  "crypto.subtle.encrypt() with RSA-OAEP": () => crypto.subtle.encrypt("RSA-OAEP", anyKey, bytes),
  "crypto.subtle.wrapKey() with RSA-OAEP": () => crypto.subtle.wrapKey("raw", anyKey, anyKey, "RSA-OAEP"),
  "ECDH.generateKeys()": () => nodeCrypto.createECDH("prime256v1").generateKeys(),
  "DiffieHellmanGroup.generateKeys()": () => nodeCrypto.getDiffieHellman("modp14").generateKeys(),
  "crypto.createDiffieHellman()": () => nodeCrypto.createDiffieHellman(64),
  "process.exit()": () => process.exit(1),
  "process.memoryUsage()": () => process.memoryUsage(),
  "process.memoryUsage.rss()": () => process.memoryUsage.rss(),
  "process.threadCpuUsage()": () => process.threadCpuUsage(),
  "os.freemem()": () => freemem(),
  "Atomics.wait()": () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1),
};

/** What is refused otherwise, by the words of the refusal. */
const otherWays: Readonly<Record<string, () => unknown>> = {
  "waits in a loop for time to pass": () => {
    for (const until = Date.now() + 5; Date.now() < until; );
  },
};

export const names: readonly string[] = [...Object.keys(ways), ...Object.keys(otherWays)];

const Reacher = defineInterface("reacher", {
  key: z.string(),
  operations: {
    reach: command({ input: z.enum(names), output: z.boolean() }),
    load: command({ output: z.int() }),
    require: command({ output: z.int() }),
  },
});

const reacher = implement(Reacher, {
  state: { version: 1, initial: () => ({ reached: "" }) },
  operations: {
    reach: async (ctx, name) => {
      ctx.state.reached = name;
      try {
        await (ways[name] ?? otherWays[name])?.();
        return true;
      } catch {
        return false;
      }
    },
    require: () => (commonJs as { counted: () => number }).counted(),
    load: async () => {
      const { lazily } = await import("./lazily.ts");
      return lazily() + Math.sign(ownText.length);
    },
  },
});

const system: System = defineSystem({ name: "reaching", services: [reacher] });
export default system;
