/**
 * How two nodes prove to each other, on loopback, that they belong to the same system: each shows that it
 * holds the system's secret, without showing the secret.
 *
 *     dialler                                     acceptor
 *        | hello (who I am, my nonce)       ->       |
 *        |       <-  hello (who I am, my nonce)      |
 *        |       <-  proof: HMAC over both hellos    |
 *        | proof: HMAC over both hellos     ->       |
 *        | calls                            ->       |
 *
 * Both proofs cover the agreed version and both hellos in full (versions, system, node ids, incarnations,
 * nonces, limits), so nothing of them can be changed on the way, and the prover's role, so that a proof
 * cannot be sent back to the one who made it. Nonces are fresh, so that no proof serves twice. The link is
 * authenticated, not encrypted: beyond loopback links are TLS.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { SynodError } from "../errors.ts";
import { ByteWriter } from "./bytes.ts";
import { writeFrame } from "./codec.ts";
import type { HelloFrame } from "./frames.ts";

/** Oldest and newest protocol version of this code; two adjacent versions of Synod always share one. */
export const protocolVersions: { readonly min: number; readonly max: number } = { min: 1, max: 2 };

/** The first version in which a call says whose it is, beside its principal. */
export const callerVersion = 2;

/** A shorter secret could be guessed by trying, from a recorded handshake. */
const secretBytesMin = 16;

/** Makes and checks proofs under one secret. */
export interface Prover {
  prove(role: "dialler" | "acceptor", version: number, dialler: HelloFrame, acceptor: HelloFrame): Uint8Array;
  /** In constant time. */
  same(a: Uint8Array, b: Uint8Array): boolean;
}

/** HMAC-SHA256 under `secret`, which all nodes of a system share. */
export function secretProver(secret: Uint8Array): Prover {
  if (secret.length < secretBytesMin) {
    throw new SynodError(
      "invalid_argument",
      `the secret of the links has ${secret.length} bytes, and must have ${secretBytesMin} or more`,
    );
  }
  return {
    prove(role, version, dialler, acceptor) {
      const writer = new ByteWriter();
      writer.text("synod link", 64, "purpose");
      writer.text(role, 64, "role");
      writer.varint(version);
      // Frames carry their length, so no two transcripts run into the same bytes.
      writeFrame(writer, dialler);
      writeFrame(writer, acceptor);
      return createHmac("sha256", secret).update(writer.take()).digest();
    },
    same: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  };
}
