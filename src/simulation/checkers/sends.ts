/**
 * The send counter: entities send each other messages. `send {to, id}` of a sender answers the message's
 * number, counted from 1 by the sender for that receiver; `received` of a receiver answers all that it got,
 * as `[{from, id}, …]` in the order of their arrival.
 *
 * The receiver saw each committed message exactly once, none uncommitted, in order per pair (guarantee G5).
 */
import { SynodError } from "../../errors.ts";
import { type Operation, settled } from "../operations.ts";
import { Findings, locate, short, type Verdict } from "./verdict.ts";

interface Message {
  readonly from: string;
  readonly id: string;
}

export function checkSends(operations: readonly Operation[]): Verdict {
  const findings = new Findings();
  const sends = new Map<string, Operation>();
  for (const send of operations.filter((operation) => operation.f === "send")) {
    const name = nameOf(targetOf(send).to, { from: send.key ?? "", id: targetOf(send).id });
    if (sends.has(name)) throw new SynodError("invalid_argument", `the history sends message ${name} twice`);
    sends.set(name, send);
  }
  checkNumbers(sends.values(), findings);
  for (const read of operations) {
    if (read.f === "received" && read.reply !== undefined) checkReceived(read, sends, findings);
  }
  return findings.verdict("sent exactly once and in order", operations.length);
}

function nameOf(to: string, { from, id }: Message): string {
  return `${JSON.stringify(id)} from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
}

function targetOf({ value, invokedAt }: Operation): { readonly to: string; readonly id: string } {
  const target = value as { readonly to?: unknown; readonly id?: unknown } | null | undefined;
  if (typeof target?.to === "string" && typeof target.id === "string") return target as ReturnType<typeof targetOf>;
  throw new SynodError("invalid_argument", `event ${invokedAt} of the history is no send: ${short(value)}`);
}

/** The number that the sender gave, if the send was answered. */
function numberOf(send: Operation): number | undefined {
  return typeof send.reply?.value === "number" ? send.reply.value : undefined;
}

/** A number given twice is a lost update of the sender. */
function checkNumbers(sends: Iterable<Operation>, findings: Findings): void {
  const numbered = new Map<string, Operation>();
  for (const send of sends) {
    if (numberOf(send) === undefined) continue;
    const place = JSON.stringify([send.key, targetOf(send).to, numberOf(send)]);
    const other = numbered.get(place);
    if (other !== undefined) findings.add(send.key, `two messages have one number: ${locate(other)}, ${locate(send)}`);
    numbered.set(place, send);
  }
}

function checkReceived(read: Operation, sends: ReadonlyMap<string, Operation>, findings: Findings): void {
  const receiver = read.key ?? "";
  const report = (text: string) => findings.add(receiver, `${text}: ${locate(read)}`);
  const seen = new Set<string>();
  const last = new Map<string, number>();
  for (const message of messagesOf(read.reply!.value)) {
    if (message === undefined) {
      report("the answer is no list of messages");
      continue;
    }
    const name = nameOf(receiver, message);
    const send = sends.get(name);
    if (seen.has(name)) report(`message ${name} arrived twice`);
    seen.add(name);
    if (send === undefined) report(`message ${name} was never sent`);
    else if (send.outcome === "fail" || send.reply?.error !== undefined) report(`${locate(send)} arrived all the same`);
    else if (send.invokedAt > read.completedAt) report(`${locate(send)} arrived before it was sent`);
    const number = send === undefined ? undefined : numberOf(send);
    if (number === undefined) continue;
    const before = last.get(message.from) ?? 0;
    if (number < before) report(`message ${name} has number ${number} and arrived after number ${before}`);
    last.set(message.from, number);
  }
  if (read.value === settled) checkComplete(receiver, seen, sends, report);
}

/** The messages of an answer; undefined in place of what is none. */
function messagesOf(value: unknown): readonly (Message | undefined)[] {
  if (!Array.isArray(value)) return [undefined];
  return value.map((each: Partial<Message> | null) =>
    typeof each?.from === "string" && typeof each.id === "string" ? { from: each.from, id: each.id } : undefined,
  );
}

function checkComplete(
  receiver: string,
  seen: ReadonlySet<string>,
  sends: ReadonlyMap<string, Operation>,
  report: (text: string) => void,
): void {
  for (const [name, send] of sends) {
    if (targetOf(send).to !== receiver || numberOf(send) === undefined) continue;
    if (!seen.has(name)) report(`message ${name}, acknowledged, never arrived`);
  }
}
