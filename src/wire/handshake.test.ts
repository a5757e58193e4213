import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { SynodError } from "../errors.ts";
import type { HelloFrame } from "./frames.ts";
import { secretProver } from "./handshake.ts";

const hello = (node: string): HelloFrame => ({
  kind: "hello",
  versionMin: 1,
  versionMax: 2,
  system: "bank",
  node,
  incarnation: 7,
  dial: 3,
  nonce: new Uint8Array(32).fill(node.charCodeAt(0)),
  frameBytesMax: 65_536,
  callsMax: 1_000,
  callBytesMax: 200,
});

const prover = secretProver(Buffer.alloc(32, 9));
const [dialler, acceptor] = [hello("a"), hello("b")];

// The expected proof was computed by another implementation of HMAC, from the bytes that handshake.ts describes.
test("the same handshake has the same proof, and it is the one that was agreed on", () => {
  const proof = prover.prove("dialler", 1, dialler, acceptor);
  assert.ok(prover.same(proof, secretProver(Buffer.alloc(32, 9)).prove("dialler", 1, dialler, acceptor)));
  assert.equal(Buffer.from(proof).toString("hex"), "2e7301972d877ab551349d836e414b74ae01f6acd2e5dbe84279b8e3b3289b02");
});

test("another secret, role, version, or any other field of either hello has another proof", () => {
  const proof = prover.prove("dialler", 1, dialler, acceptor);
  const changes: readonly Partial<HelloFrame>[] = [
    { versionMin: 0 },
    { versionMax: 3 },
    { system: "shop" },
    { node: "c" },
    { incarnation: 8 },
    { dial: 4 },
    { nonce: new Uint8Array(32) },
    { frameBytesMax: 65_537 },
    { callsMax: 1_001 },
    { callBytesMax: 201 },
  ];
  const others = [
    secretProver(Buffer.alloc(32, 8)).prove("dialler", 1, dialler, acceptor),
    prover.prove("acceptor", 1, dialler, acceptor),
    prover.prove("dialler", 2, dialler, acceptor),
    prover.prove("dialler", 1, acceptor, dialler),
    ...changes.map((change) => prover.prove("dialler", 1, { ...dialler, ...change }, acceptor)),
    ...changes.map((change) => prover.prove("dialler", 1, dialler, { ...acceptor, ...change })),
  ];
  for (const other of others) assert.equal(prover.same(proof, other), false);
  const changed = changes.flatMap((change) => Object.keys(change));
  assert.deepEqual(
    changed.sort(),
    Object.keys(dialler)
      .filter((name) => name !== "kind")
      .sort(),
  );
});

test("proofs of another length are not the same, and a short secret is refused", () => {
  assert.equal(prover.same(new Uint8Array(32), new Uint8Array(31)), false);
  assert.throws(() => secretProver(new Uint8Array(15)), SynodError);
});
