/**
 * Calls and replies as bytes: a compact head of flags, numbers and short texts, then the payload as the
 * rest of the frame. A flag says which optional fields follow; an unknown flag is refused, because it
 * would stand for a field that this version cannot skip.
 */
import { invariant, isStatusCode, SynodError } from "../errors.ts";
import { isSessionName } from "../values/ids.ts";
import { type ByteReader, type ByteWriter, checkText, protocolError } from "./bytes.ts";
import type { CallBody, CallFrame, CallIdentity, ReplyBody, ReplyFrame } from "./frames.ts";
import * as limit from "./limits.ts";

const callFlags = {
  key: 1,
  epoch: 2,
  identity: 4,
  traceparent: 8,
  input: 16,
  command: 32,
  keyTime: 64,
  acceptance: 128,
  existing: 256,
  caller: 512,
} as const;
const callFlagsAll = 1_023;

const replyCodes = { ok: 0, declared: 1, status: 2, moved: 3 } as const;
/** Flags of replies; a reply of one kind may carry only its own. */
const replyFlags = { payload: 1, replayed: 2, unknown: 4, retryable: 8, retryAfter: 16, owner: 32, node: 64 } as const;
const replyFlagsOf: readonly number[] = [1 | 2, 1 | 2, 1 | 4 | 8 | 16, 32 | 64];

/** Priorities fit into a byte. */
const priorityMax = 255;

/** Throws unless `writeCall` can write this, so that a call is refused before it gets a number. */
export function checkCall(body: CallBody): void {
  checkText(body.service, limit.nameBytesMax, "service");
  checkText(body.operation, limit.nameBytesMax, "operation");
  checkText(body.principal, limit.principalBytesMax, "principal");
  if (body.caller !== undefined) checkText(body.caller, limit.principalBytesMax, "caller");
  if (body.key !== undefined) checkText(body.key, limit.keyBytesMax, "key");
  if (body.traceparent !== undefined) checkText(body.traceparent, limit.traceparentBytesMax, "traceparent");
  if (body.identity !== undefined) checkIdentity(body.identity);
  if (body.command !== undefined) checkText(body.command.id, limit.commandIdBytesMax, "command id");
  checkText(body.request, limit.requestBytesMax, "request");
}

function checkIdentity({ session, floor, open }: CallIdentity): void {
  checkText(session, limit.sessionBytesMax, "session");
  invariant(isSessionName(session), "a session has a name that no store refuses");
  if (open.length > limit.openNumbersMax) {
    throw new SynodError(
      "resource_exhausted",
      `${open.length} numbers of session ${session} are open, and ${limit.openNumbersMax} may be`,
    );
  }
  const ascending = open.every((number, index) => index === 0 || open[index - 1]! < number);
  invariant(ascending && (open.at(-1) ?? -1) < floor, "open numbers ascend and are below the floor");
}

export function writeCall(writer: ByteWriter, frame: CallFrame): void {
  const { body } = frame;
  writer.varint(frame.number);
  writer.varint(
    (body.key === undefined ? 0 : callFlags.key) |
      (body.epoch === undefined ? 0 : callFlags.epoch) |
      (body.identity === undefined ? 0 : callFlags.identity) |
      (body.traceparent === undefined ? 0 : callFlags.traceparent) |
      (body.input === undefined ? 0 : callFlags.input) |
      (body.command === undefined ? 0 : callFlags.command) |
      (body.command === undefined || body.command.keyTime === null ? 0 : callFlags.keyTime) |
      (body.waitFor === undefined ? 0 : callFlags.acceptance) |
      (body.existing === undefined ? 0 : callFlags.existing) |
      (body.caller === undefined ? 0 : callFlags.caller),
  );
  writer.varint(Math.max(0, Math.ceil(frame.remainingMs)));
  writer.byte(Math.min(frame.priority, priorityMax));
  writer.varint(frame.incarnation);
  writer.text(body.service, limit.nameBytesMax, "service");
  writer.text(body.operation, limit.nameBytesMax, "operation");
  writer.text(body.principal, limit.principalBytesMax, "principal");
  writer.text(body.request, limit.requestBytesMax, "request");
  if (body.key !== undefined) writer.text(body.key, limit.keyBytesMax, "key");
  if (body.epoch !== undefined) writer.varint(body.epoch);
  if (body.identity !== undefined) writeIdentity(writer, body.identity);
  if (body.traceparent !== undefined) writer.text(body.traceparent, limit.traceparentBytesMax, "traceparent");
  if (body.command !== undefined) {
    writer.text(body.command.id, limit.commandIdBytesMax, "command id");
    if (body.command.keyTime !== null) writer.varint(body.command.keyTime);
  }
  if (body.caller !== undefined) writer.text(body.caller, limit.principalBytesMax, "caller");
  if (body.input !== undefined) writer.rest(body.input);
}

export function readCall(reader: ByteReader): CallFrame {
  const number = reader.varint("call number");
  const flags = reader.varint("flags");
  if (flags > callFlagsAll) throw protocolError(`a call has the unknown flags ${flags - (flags & callFlagsAll)}`);
  const remainingMs = reader.varint("remaining time");
  const priority = reader.byte("priority");
  const incarnation = reader.varint("incarnation");
  const service = reader.name(limit.nameBytesMax, "service");
  const operation = reader.name(limit.nameBytesMax, "operation");
  const principal = reader.name(limit.principalBytesMax, "principal");
  const request = reader.text(limit.requestBytesMax, "request");
  const key = (flags & callFlags.key) === 0 ? undefined : reader.text(limit.keyBytesMax, "key");
  const epoch = (flags & callFlags.epoch) === 0 ? undefined : reader.varint("epoch");
  const identity = (flags & callFlags.identity) === 0 ? undefined : readIdentity(reader);
  const traceparent =
    (flags & callFlags.traceparent) === 0 ? undefined : reader.text(limit.traceparentBytesMax, "traceparent");
  const command = readCommand(reader, flags);
  const caller = (flags & callFlags.caller) === 0 ? {} : { caller: reader.name(limit.principalBytesMax, "caller") };
  const bytes = reader.left;
  const input = (flags & callFlags.input) === 0 ? undefined : reader.rest("input");
  reader.end();
  const waitFor = (flags & callFlags.acceptance) === 0 ? {} : ({ waitFor: "acceptance" } as const);
  const existing = (flags & callFlags.existing) === 0 ? {} : ({ existing: true } as const);
  const body: CallBody = {
    service,
    key,
    operation,
    epoch,
    identity,
    command,
    request,
    principal,
    ...caller,
    traceparent,
    input,
    ...waitFor,
    ...existing,
  };
  return { kind: "call", number, remainingMs, priority, incarnation, body, bytes };
}

function readCommand(reader: ByteReader, flags: number): CallBody["command"] {
  const timed = (flags & callFlags.keyTime) !== 0;
  if ((flags & callFlags.command) === 0) {
    if (timed) throw protocolError("a call has the instant of an id without the id");
    return undefined;
  }
  const id = reader.text(limit.commandIdBytesMax, "command id");
  return { id, keyTime: timed ? reader.varint("instant of the command id") : null };
}

function writeIdentity(writer: ByteWriter, identity: CallIdentity): void {
  writer.text(identity.session, limit.sessionBytesMax, "session");
  writer.varint(identity.number);
  writer.varint(identity.floor);
  writer.varint(identity.open.length);
  // Ascending, so the distances are small numbers.
  let previous = 0;
  for (const number of identity.open) {
    writer.varint(number - previous);
    previous = number;
  }
}

function readIdentity(reader: ByteReader): CallIdentity {
  const session = reader.name(limit.sessionBytesMax, "session");
  if (!isSessionName(session)) throw protocolError(`a session cannot be called ${JSON.stringify(session)}`);
  const number = reader.varint("number in the session");
  const floor = reader.varint("floor");
  const count = reader.varint("count of open numbers");
  if (count > limit.openNumbersMax) {
    throw protocolError(`a call names ${count} open numbers, and ${limit.openNumbersMax} are allowed`);
  }
  const open: number[] = [];
  let previous = 0;
  for (let index = 0; index < count; index++) {
    const distance = reader.varint("open number");
    if (distance === 0 && index > 0) throw protocolError("the open numbers of a call do not ascend");
    previous += distance;
    if (previous >= floor) throw protocolError("an open number of a call is not below its floor");
    open.push(previous);
  }
  return { session, number, floor, open };
}

export function writeReply(writer: ByteWriter, frame: ReplyFrame): void {
  const { body } = frame;
  writer.varint(frame.number);
  writer.byte(replyCodes[body.kind]);
  writer.byte(flagsOfReply(body));
  switch (body.kind) {
    case "ok":
      if (body.output !== undefined) writer.rest(body.output);
      return;
    case "moved":
      writer.varint(body.revision);
      writer.varint(body.epoch);
      if (body.owner !== undefined) writer.varint(body.owner);
      if (body.node !== undefined) writer.text(body.node, limit.nameBytesMax, "node");
      return;
    default:
      writer.text(body.code, limit.codeBytesMax, "code");
      writer.text(cutMessage(body.message), limit.messageBytesMax, "message");
      if (body.kind === "status" && body.retryAfterMs !== undefined) writer.varint(Math.ceil(body.retryAfterMs));
      if (body.data !== undefined) writer.rest(body.data);
  }
}

function flagsOfReply(body: ReplyBody): number {
  switch (body.kind) {
    case "ok":
      return (body.output === undefined ? 0 : replyFlags.payload) | (body.replayed ? replyFlags.replayed : 0);
    case "declared":
      return (body.data === undefined ? 0 : replyFlags.payload) | (body.replayed ? replyFlags.replayed : 0);
    case "status":
      return (
        (body.data === undefined ? 0 : replyFlags.payload) |
        (body.outcome === "unknown" ? replyFlags.unknown : 0) |
        (body.retryable ? replyFlags.retryable : 0) |
        (body.retryAfterMs === undefined ? 0 : replyFlags.retryAfter)
      );
    case "moved":
      return (body.owner === undefined ? 0 : replyFlags.owner) | (body.node === undefined ? 0 : replyFlags.node);
  }
}

export function readReply(reader: ByteReader): ReplyFrame {
  const number = reader.varint("call number");
  const code = reader.byte("kind of reply");
  const allowed = replyFlagsOf[code];
  if (allowed === undefined) throw protocolError(`a reply is of the unknown kind ${code}`);
  const flags = reader.byte("flags");
  if ((flags & ~allowed) !== 0) throw protocolError(`a reply has the unknown flags ${flags & ~allowed}`);
  const body = readReplyBody(reader, code, flags);
  reader.end();
  return { kind: "reply", number, body };
}

function readReplyBody(reader: ByteReader, code: number, flags: number): ReplyBody {
  const has = (flag: number) => (flags & flag) !== 0;
  const payload = (field: string) => (has(replyFlags.payload) ? reader.rest(field) : undefined);
  const replayed = has(replyFlags.replayed);
  if (code === replyCodes.ok) return { kind: "ok", output: payload("output"), replayed };
  if (code === replyCodes.moved) {
    const revision = reader.varint("revision");
    const epoch = reader.varint("epoch");
    const owner = has(replyFlags.owner) ? reader.varint("owner") : undefined;
    const node = has(replyFlags.node) ? reader.text(limit.nameBytesMax, "node") : undefined;
    return { kind: "moved", revision, epoch, owner, node };
  }
  const name = reader.text(limit.codeBytesMax, "code");
  const message = reader.text(limit.messageBytesMax, "message");
  // A declared error can never pass for one of the runtime's own, nor the other way round.
  if (isStatusCode(name) !== (code === replyCodes.status))
    throw protocolError("the code of a reply does not fit its kind");
  if (code === replyCodes.declared) return { kind: "declared", code: name, message, data: payload("data"), replayed };
  const retryAfterMs = has(replyFlags.retryAfter) ? reader.varint("retry-after") : undefined;
  const outcome = has(replyFlags.unknown) ? "unknown" : "not-happened";
  const retryable = has(replyFlags.retryable);
  return { kind: "status", code: name, message, outcome, retryable, retryAfterMs, data: payload("data") };
}

/** A message within its bound, whatever its characters need, and never half of a character at the end. */
export function cutMessage(message: string): string {
  const unitsMax = Math.floor(limit.messageBytesMax / 3);
  return message.length <= unitsMax ? message : `${message.slice(0, unitsMax - 1).toWellFormed()}…`;
}
