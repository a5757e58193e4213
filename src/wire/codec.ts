/**
 * Frames as bytes and back. A frame is four bytes of length (big-endian, of what follows), one byte that
 * names its kind, and the fields of that kind. Whoever reads checks the length against a bound before it
 * allocates anything, and closes the connection at the first byte that does not fit.
 */
import { ByteReader, type ByteWriter, protocolError } from "./bytes.ts";
import { cutMessage, readCall, readReply, writeCall, writeReply } from "./calls.ts";
import { type Frame, frameCodes, type HelloFrame } from "./frames.ts";
import * as limit from "./limits.ts";
import type { NameTable } from "./names.ts";

const flagLast = 1;

/** Appends a frame to what the writer holds; a frame that cannot be written leaves no trace in it. */
export function writeFrame(writer: ByteWriter, frame: Frame): void {
  const before = writer.length;
  try {
    const mark = writer.reserveLength();
    writer.byte(frameCodes[frame.kind]);
    writeFields(writer, frame);
    writer.fillLength(mark);
  } catch (error) {
    writer.rewind(before);
    throw error;
  }
}

function writeFields(writer: ByteWriter, frame: Frame): void {
  switch (frame.kind) {
    case "call":
      writeCall(writer, frame);
      break;
    case "reply":
      writeReply(writer, frame);
      break;
    case "hello":
      writeHello(writer, frame);
      break;
    case "proof":
      writer.fixed(frame.proof);
      break;
    case "cancel":
    case "ping":
      writer.varint(frame.number);
      break;
    case "pong":
      writer.varint(frame.number);
      writer.varint(frame.load);
      break;
    case "chunk":
      writer.varint(frame.number);
      writer.byte(frame.last ? flagLast : 0);
      writer.rest(frame.text);
      break;
    case "credit":
      writer.varint(frame.number);
      writer.varint(frame.callsMax);
      writer.varint(frame.callBytesMax);
      break;
    case "goodbye":
      writer.varint(frame.accepted);
      writer.text(frame.cause, limit.codeBytesMax, "cause");
      writer.text(cutMessage(frame.message), limit.messageBytesMax, "message");
      break;
  }
}

/** The frame in these bytes, which are a whole frame without its length. Throws a `SynodError` for any other bytes. */
export function readFrame(bytes: Uint8Array, names?: NameTable): Frame {
  const reader = new ByteReader(bytes, names);
  const code = reader.byte("kind");
  switch (code) {
    case frameCodes.call:
      return readCall(reader);
    case frameCodes.reply:
      return readReply(reader);
    case frameCodes.hello:
      return readHello(reader);
    default:
      return readShortFrame(reader, code);
  }
}

function readShortFrame(reader: ByteReader, code: number): Frame {
  const frame = readShortFields(reader, code);
  reader.end();
  return frame;
}

function readShortFields(reader: ByteReader, code: number): Frame {
  switch (code) {
    case frameCodes.proof:
      return { kind: "proof", proof: reader.fixed(limit.proofBytes, "proof") };
    case frameCodes.cancel:
      return { kind: "cancel", number: reader.varint("call number") };
    case frameCodes.ping:
      return { kind: "ping", number: reader.varint("number") };
    case frameCodes.pong: {
      const number = reader.varint("number");
      return { kind: "pong", number, load: reader.varint("load") };
    }
    case frameCodes.chunk: {
      const number = reader.varint("call number");
      const flags = reader.byte("flags");
      if (flags > flagLast) throw protocolError(`a chunk has the unknown flags ${flags & ~flagLast}`);
      return { kind: "chunk", number, last: flags === flagLast, text: reader.rest("text") };
    }
    case frameCodes.credit: {
      const number = reader.varint("call number");
      const callsMax = reader.varint("calls");
      return { kind: "credit", number, callsMax, callBytesMax: reader.varint("bytes of calls") };
    }
    case frameCodes.goodbye: {
      const accepted = reader.varint("accepted number");
      const cause = reader.text(limit.codeBytesMax, "cause");
      return { kind: "goodbye", accepted, cause, message: reader.text(limit.messageBytesMax, "message") };
    }
    default:
      throw protocolError(`a frame is of the unknown kind ${code}`);
  }
}

function writeHello(writer: ByteWriter, hello: HelloFrame): void {
  writer.varint(hello.versionMin);
  writer.varint(hello.versionMax);
  writer.text(hello.system, limit.nameBytesMax, "system");
  writer.text(hello.node, limit.nameBytesMax, "node");
  writer.varint(hello.incarnation);
  writer.varint(hello.dial);
  writer.fixed(hello.nonce);
  writer.varint(hello.frameBytesMax);
  writer.varint(hello.callsMax);
  writer.varint(hello.callBytesMax);
}

function readHello(reader: ByteReader): HelloFrame {
  const versionMin = reader.varint("oldest version");
  const versionMax = reader.varint("newest version");
  if (versionMin > versionMax) throw protocolError("a hello names an oldest version above its newest");
  const system = reader.text(limit.nameBytesMax, "system");
  const node = reader.text(limit.nameBytesMax, "node");
  const incarnation = reader.varint("incarnation");
  const dial = reader.varint("dial");
  const nonce = reader.fixed(limit.nonceBytes, "nonce");
  const frameBytesMax = reader.varint("longest frame");
  if (frameBytesMax < limit.frameBytesMaxLeast) {
    throw protocolError(
      `a hello says that frames of ${frameBytesMax} bytes are the longest, and ${limit.frameBytesMaxLeast} must be taken`,
    );
  }
  const callsMax = reader.varint("calls");
  const callBytesMax = reader.varint("bytes of calls");
  // What follows belongs to later versions.
  const known = {
    versionMin,
    versionMax,
    system,
    node,
    incarnation,
    dial,
    nonce,
    frameBytesMax,
    callsMax,
    callBytesMax,
  };
  return { kind: "hello", ...known };
}
