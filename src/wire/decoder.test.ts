import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { SynodError } from "../errors.ts";
import { ByteWriter } from "./bytes.ts";
import { writeFrame } from "./codec.ts";
import { FrameDecoder } from "./decoder.ts";
import type { Frame } from "./frames.ts";

const frameBytesMax = 100_000;

function bytesOf(...frames: Frame[]): Uint8Array {
  const writer = new ByteWriter();
  for (const frame of frames) writeFrame(writer, frame);
  return writer.take();
}

const reply = (number: number, length: number): Frame => ({
  kind: "reply",
  number,
  body: { kind: "ok", output: "x".repeat(length), replayed: false },
});

function decoded(decoder: FrameDecoder, ...chunks: Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(frame) > 0);
  return frames;
}

test("frames come out the same wherever the stream is cut", () => {
  const frames = [reply(1, 0), { kind: "ping", number: 1 } as const, reply(2, 300), reply(3, 5), reply(4, 1_000)];
  const bytes = bytesOf(...frames);
  for (let first = 0; first <= bytes.length; first += 3) {
    for (const size of [1, 2, 3, 5, 64, 700]) {
      const chunks = [bytes.subarray(0, first)];
      for (let start = first; start < bytes.length; start += size) chunks.push(bytes.subarray(start, start + size));
      assert.deepEqual(decoded(new FrameDecoder(frameBytesMax), ...chunks), frames);
    }
  }
});

test("a length of 4 GiB is refused before anything is set aside for it", () => {
  for (const cut of [1, 2, 3, 4]) {
    const decoder = new FrameDecoder(frameBytesMax);
    const bytes = Buffer.from("ffffffff03", "hex");
    assert.throws(
      () => decoded(decoder, bytes.subarray(0, cut), bytes.subarray(cut)),
      (error: unknown) => {
        return error instanceof SynodError && /announces 4294967295 bytes, and 100000 are allowed/.test(error.message);
      },
    );
    assert.ok(decoder.heldBytes <= 256);
  }
});

test("an empty frame is refused", () => {
  assert.throws(() => decoded(new FrameDecoder(frameBytesMax), Buffer.alloc(4)), /a frame is empty/);
});

test("what is held grows with what has arrived, not with what was announced", () => {
  const decoder = new FrameDecoder(frameBytesMax);
  const bytes = bytesOf(reply(1, frameBytesMax - 10));
  for (let sent = 0; sent < bytes.length - 1; sent += 100) {
    decoded(decoder, bytes.subarray(sent, Math.min(sent + 100, bytes.length - 1)));
    assert.ok(decoder.heldBytes <= Math.min(2 * (sent + 100) + 256, frameBytesMax + 4));
  }
  assert.equal(decoded(decoder, bytes.subarray(-1)).length, 1);
  assert.equal(decoder.heldBytes, 0);
});

test("a large frame in small pieces is not copied again and again", () => {
  const bytes = bytesOf(reply(1, 2_000_000));
  const decoder = new FrameDecoder(4_000_000);
  let grown = 0;
  let held = 0;
  for (let start = 0; start < bytes.length - 1; start += 512) {
    decoded(decoder, bytes.subarray(start, Math.min(start + 512, bytes.length - 1)));
    if (decoder.heldBytes !== held) grown++;
    held = decoder.heldBytes;
  }
  assert.ok(grown <= 16, `the tray was copied ${grown} times`);
});

test("a longer frame is allowed from the frame on that said so, even in the same chunk", () => {
  const decoder = new FrameDecoder(64);
  const frames: Frame[] = [];
  const take = (frame: Frame): boolean => {
    frames.push(frame);
    decoder.allow(frameBytesMax);
    return true;
  };
  decoder.push(bytesOf({ kind: "ping", number: 1 }, reply(1, 200)), take);
  assert.equal(frames.length, 2);
  assert.throws(() => decoded(new FrameDecoder(64), bytesOf(reply(1, 200))), /64 are allowed/);
});

test("nothing is handed out after the taker said stop", () => {
  const decoder = new FrameDecoder(frameBytesMax);
  let taken = 0;
  decoder.push(bytesOf(reply(1, 1), reply(2, 1), reply(3, 1)), () => {
    taken++;
    return taken < 2;
  });
  assert.equal(taken, 2);
});
