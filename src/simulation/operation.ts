/** What a simulated client asked for, from its first attempt to what it finally heard; and one run of a handler. */
import type { GatewayReply } from "../ports/gateway.ts";
import type { AnyOperation } from "../service/model.ts";
import type { Process } from "./world/process.ts";

/** An operation to be asked for. */
export interface Request {
  readonly service: string;
  /** Absent for a stateless service. */
  readonly key?: string | undefined;
  readonly operation: string;
  /** The input; absent for an operation without one. */
  readonly input?: unknown;
  /** False: without an idempotency key, so that it is not repeated once its outcome is unknown. */
  readonly repeatable?: boolean | undefined;
  /** Instead of a key that the client makes: under it several operations are one, as with the client library. */
  readonly idempotencyKey?: string | undefined;
}

/** One operation of one client. */
export interface ClientOperation {
  readonly number: number;
  readonly client: string;
  /** Whose idempotency key it has. */
  readonly principal: string;
  readonly kind: "query" | "command";
  readonly request: Request;
  /** As it travels. */
  readonly inputText: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly invokedAt: number;
  /** Position in the entity's order that others had seen when this was invoked: it must not come before that. */
  readonly floor: number;
  /** `ok`: a value or a declared error. `fail`: it certainly did not happen. `info`: nobody knows. */
  outcome: "open" | "ok" | "fail" | "info";
  reply: GatewayReply | undefined;
  /** Why it was turned away, attempt by attempt, since its client has last begun to ask for it. */
  refusals: string[];
  completedAt: number;
  /** All that to the system are this one, as they have its idempotency key, from the first; itself among them. */
  readonly underItsKey: ClientOperation[];
  // What follows is told of the first of them, and shared by the others.
  /** Runs of its handler that have not ended. */
  readonly running: Set<HandlerRun>;
  /** How often it was begun; 0 for all but the first. */
  attempts: number;
  /** Runs of its handler that ended well, on whichever node. */
  readonly runs: HandlerRun[];
  /** Those of them whose effect the store accepted. */
  readonly committed: HandlerRun[];
  /** Runs of other handlers that ended well on its behalf: what its handler called, and what that called. */
  readonly called: HandlerRun[];
}

/** One run of a handler, as it was observed from outside the runtime. */
export interface HandlerRun {
  readonly number: number;
  readonly process: Process;
  readonly service: string;
  readonly key: string | null;
  readonly operation: string;
  readonly definition: AnyOperation;
  readonly kind: "query" | "command";
  /** The client's operation on whose behalf it runs; null when nobody knows. */
  readonly client: ClientOperation | null;
  /** `ctx.request.id` and `.attempt`. */
  readonly id: string;
  readonly attempt: number;
  readonly startedAt: number;
  /** Whether what the handler does still counts. */
  readonly holdsContext: () => boolean;
  /** The state on which it ran, as text; null when the handler did not look. */
  start: string | null;
  /** The state that it left; null when it is the one it found. */
  end: string | null;
  /** It cleared the state on its way. */
  cleared: boolean;
  outcome: "running" | "value" | "declared" | "failed" | "abandoned";
  /** As a caller gets it. */
  reply: GatewayReply | undefined;
  /** Calls that it made and steps that it did, in that order. */
  readonly calls: MadeCall[];
  /** What it left behind for later; nothing counts of a run that did not end with a value. */
  readonly left: LeftBehind;
  /** Its place in the order of the entity, once the store accepted it; 0 before. */
  position: number;
}

/** A call or a step of a handler. */
export interface MadeCall {
  /** `account/alice.deposit`, `step charge`. */
  readonly name: string;
  /** The how many-eth of this name it is, from 1. */
  readonly count: number;
  /** How many outcomes its handler had heard when it made it. */
  readonly heardBefore: number;
  /** Value or declared error, as text; null before. */
  outcome: string | null;
}

/** A message as its handler sent it. */
export interface LeftMessage {
  readonly service: string;
  /** Null for a service without keys. */
  readonly target: string | null;
  readonly operation: string;
  /** JSON text. */
  readonly input: string | null;
  /** Ms since 1970; null: at once. */
  readonly dueAt: number | null;
}

export interface LeftTimer {
  readonly operation: string;
  readonly input: string | null;
  /** Ms since 1970. */
  readonly dueAt: number;
}

export interface LeftBehind {
  /** In the order of the calls of `send`. */
  readonly messages: LeftMessage[];
  /** The last word on each name; null: cancelled. */
  readonly timers: Map<string, LeftTimer | null>;
}

export function nameOfEntity(service: string, key: string | null | undefined): string {
  return key === null || key === undefined ? service : `${service}/${key}`;
}

/** `deposit {"amount":5} on account/alice by client-3`. */
export function describeOperation({ request, inputText, client }: ClientOperation): string {
  const input = inputText === undefined ? "" : ` ${shortened(inputText)}`;
  return `${request.operation}${input} on ${nameOfEntity(request.service, request.key)} by ${client}`;
}

/** `ok {"balance":5}`, `insufficientFunds {"balance":0}`, `unavailable (unknown)`. */
export function describeReply(reply: GatewayReply | undefined): string {
  if (reply === undefined) return "no answer";
  if (reply.ok) return `ok ${shortened(reply.output ?? "")}`.trimEnd();
  const { code, declared, data, outcome } = reply.error;
  return declared ? `${code} ${shortened(data ?? "")}`.trimEnd() : `${code} (${outcome})`;
}

/** `account/alice.deposit for #3: ok {"balance":5}, {"balance":0} → {"balance":5}`: what a handler answered and what it did. */
export function describeRun(run: HandlerRun): string {
  const asker = run.client === null ? "" : ` for #${run.client.number}`;
  const again = run.attempt > 1 ? `, attempt ${run.attempt}` : "";
  const isReply = run.outcome === "value" || run.outcome === "declared";
  const answer = isReply ? describeReply(run.reply) : run.outcome;
  return `${nameOfEntity(run.service, run.key)}.${run.operation}${asker}${again}: ${answer}${describeChange(run)}`;
}

function describeChange({ kind, outcome, start, end }: HandlerRun): string {
  if (kind === "query" || outcome !== "value" || start === null) return "";
  return end === null || end === start
    ? `, ${shortened(start)} unchanged`
    : `, ${shortened(start)} → ${shortened(end)}`;
}

const textLengthMax = 120;

export function shortened(text: string): string {
  return text.length <= textLengthMax ? text : `${text.slice(0, textLengthMax - 1)}…`;
}

/** Whether two replies say the same to their caller. */
export function sameReply(a: GatewayReply, b: GatewayReply): boolean {
  if (a.ok || b.ok) return a.ok && b.ok && a.output === b.output;
  return a.error.code === b.error.code && a.error.data === b.error.data && a.error.declared === b.error.declared;
}

/** Whether this run is an attempt of a durable command. */
export function isDurable({ definition }: Pick<HandlerRun, "definition">): boolean {
  return definition.kind === "command" && definition.durable;
}

/** Whether it changed the state; who did not look at it before counts as one who did. */
export function changesState({ start, end }: Pick<HandlerRun, "start" | "end">): boolean {
  return end !== null && end !== start;
}

/**
 * Whether a commit of this run writes more than its state and its record: messages, timers that it sets or cancels
 * (whether or not there is one to cancel), and the end of what was accepted before.
 */
export function leavesWork({ left, definition }: Pick<HandlerRun, "left" | "definition">): boolean {
  return left.messages.length > 0 || left.timers.size > 0 || isDurable({ definition });
}
