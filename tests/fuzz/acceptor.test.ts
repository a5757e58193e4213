/**
 * Bytes of every kind against a node that really listens: noise, spoilt handshakes, and a peer that proved
 * itself and then sends spoilt frames. The node never crashes, never lets a stranger's call through, never
 * holds more than its caps, and serves the next one.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { createPrng, type Prng } from "../../src/values/prng.ts";
import type { Frame } from "../../src/wire/frames.ts";
import { startNode, type TestNode, until } from "../links/nodes.ts";
import { bytesOf, callOf, helloOf, RawPeer } from "../links/raw-peer.ts";
import { anyFrame } from "./frames.ts";
import { mutate, noise } from "./mutate.ts";
import { rounds, start } from "./rounds.ts";

const limits = { helloMs: 1_000, lingerMs: 200, callsMax: 50, callBytesMax: 1024 * 1024, frameBytesMax: 256 * 1024 };
/** Attackers at a time; fewer than may be half-open. */
const attackersMax = 16;
/** What may be held when the attackers have gone: nothing but some slack for buffers that are kept for reuse. */
const memoryBytesMax = 4 * 1024 * 1024;
/** Looking is not free. */
const batchesPerLook = 20;
const noiseBytesMax = 400;

const corpus = new URL("./corpus/", import.meta.url);
/** Seeds of attacks that did harm once. */
const seeds: { stranger: number[]; peer: number[] } = JSON.parse(
  readFileSync(new URL("./seeds.json", import.meta.url), "utf8"),
);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes of buffers that somebody still holds. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Sends the bytes and leaves; resolves when nothing is left of the connection. */
async function attack(
  node: TestNode,
  bytes: Uint8Array,
  as: { readonly node: string; readonly incarnation: number; readonly dial: number } | undefined,
): Promise<void> {
  using peer = await RawPeer.dial(node.address);
  if (as !== undefined) await peer.open(helloOf(as));
  peer.connection.send(bytes);
  peer.connection.end();
  await until(() => peer.closed !== undefined, "the node is done with the attacker");
}

/** Runs the attacks, some at a time, and checks the node in between. */
async function attackAll(node: TestNode, attacks: readonly (() => Promise<void>)[]): Promise<void> {
  const names = Object.getOwnPropertyNames(Object.prototype);
  const before = heldBytes();
  for (let next = 0; next < attacks.length; next += attackersMax) {
    await Promise.all(attacks.slice(next, next + attackersMax).map((run) => run()));
    if ((next / attackersMax) % batchesPerLook !== 0) continue;
    const held = heldBytes() - before;
    assert.ok(held < memoryBytesMax, `${held} bytes are held after attack ${next}`);
  }
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), names);
  await until(() => node.accepted().length === 0, "no link is left");
  await using friend = await startNode("friend", 999);
  friend.links.connectTo([node.member]);
  assert.deepEqual(await friend.call(node, { input: "7" }), { kind: "ok", output: "7", replayed: false });
}

function framesOf(seed: number): Frame[] {
  return fc.sample(fc.array(anyFrame, { minLength: 1, maxLength: 5 }), { seed, numRuns: 1 })[0]!;
}

/** What somebody without the secret might send: noise, or a handshake with calls behind it, spoilt or not. */
function strangersBytes(seed: number): Uint8Array {
  const prng = createPrng(seed);
  const proof: Frame = { kind: "proof", proof: noise(prng, 32) };
  switch (prng.below(4)) {
    case 0:
      return noise(prng, prng.below(noiseBytesMax));
    case 1:
      return bytesOf(...framesOf(seed));
    case 2:
      return bytesOf(helloOf(), proof, callOf(1), ...framesOf(seed));
    default:
      return mutate(bytesOf(helloOf(), proof, callOf(1)), prng);
  }
}

/** What a peer that went mad might send: calls in order, and then frames that may be spoilt. */
function peersBytes(seed: number): Uint8Array {
  const prng: Prng = createPrng(seed);
  const calls = Array.from({ length: prng.below(4) }, (_, index) => callOf(index + 1, { input: "{}" }));
  const bytes = bytesOf(...calls, ...framesOf(seed));
  return prng.below(4) === 0 ? bytes : mutate(bytes, prng);
}

function seedsFrom(known: readonly number[], count: number): number[] {
  return [...known, ...Array.from({ length: count }, (_, index) => start + index)];
}

test("the corpus opens nothing and breaks nothing, from a stranger and from a peer", async () => {
  await using node = await startNode("b", 2, { limits });
  const files = readdirSync(corpus).filter((name) => name.endsWith(".hex"));
  assert.ok(files.length > 0);
  const contents = files.map((name) => {
    const lines = readFileSync(new URL(name, corpus), "utf8").split("\n");
    return Buffer.from(
      lines
        .filter((line) => !line.startsWith("#"))
        .join("")
        .replaceAll(" ", ""),
      "hex",
    );
  });
  await attackAll(
    node,
    contents.map((bytes) => () => attack(node, bytes, undefined)),
  );
  assert.equal(node.calls.length, 1, "only the friend's call came through");
  await attackAll(
    node,
    contents.map(
      (bytes, index) => () => attack(node, bytes, { node: `peer-${index}`, incarnation: 10 + index, dial: 1 }),
    ),
  );
});

test("no stranger gets a call through, whatever it sends", async () => {
  await using node = await startNode("b", 2, { limits });
  const attacks = seedsFrom(seeds.stranger, rounds).map((seed) => () => attack(node, strangersBytes(seed), undefined));
  await attackAll(node, attacks);
  assert.equal(node.calls.length, 1, "only the friend's call came through");
});

test("a peer that goes mad harms nobody but itself", async () => {
  await using node = await startNode("b", 2, { limits });
  const attacks = seedsFrom(seeds.peer, rounds).map((seed, index) => {
    const as = { node: `peer-${index % attackersMax}`, incarnation: 10 + (index % attackersMax), dial: index + 1 };
    return () => attack(node, peersBytes(seed), as);
  });
  await attackAll(node, attacks);
  assert.ok(node.calls.length > rounds / 2, "the calls before the madness came through");
});
