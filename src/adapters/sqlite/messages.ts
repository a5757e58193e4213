/**
 * What the node's thread and the store's threads say to each other. Errors cross as plain objects, because structured
 * clone would make a plain Error of them; batches and reads cross as `packed-batches.ts` and `packed-reads.ts` say.
 */
import { type Outcome, SynodError } from "../../errors.ts";
import type { CommitResult, RenewResult, Store, StoreIdentity } from "../../ports/store.ts";
import { LockedError } from "./failures.ts";
import type { PackedBatch } from "./packed-batches.ts";
import type { PackedReadResults, PackedReads } from "./packed-reads.ts";
import type { StoreCreation } from "./schema.ts";

type Answer<Method extends keyof Store> = Store[Method] extends (...request: never[]) => Promise<infer Value>
  ? Value
  : never;
type Request<Method extends keyof Store> = Store[Method] extends (request: infer Value) => unknown ? Value : never;

/** What the thread that writes does. */
export interface WriterOperations {
  readonly open: (creation: StoreCreation & { readonly bytesMax: number | undefined }) => StoreIdentity;
  readonly join: (request: Request<"join">) => Answer<"join">;
  readonly renew: (request: Request<"renew">) => RenewAnswer;
  readonly claim: (request: Request<"claim">) => Answer<"claim">;
  readonly release: (request: Request<"release">) => void;
  readonly endLease: (request: Request<"endLease">) => Answer<"endLease">;
  readonly commit: (batch: PackedBatch) => CommitAnswer;
  readonly trim: (request: Request<"trim">) => Answer<"trim">;
  readonly close: (request: undefined) => void;
}

/** What the thread that reads does. */
export interface ReaderOperations {
  readonly open: (request: { readonly path: string }) => void;
  readonly read: (reads: PackedReads) => PackedReadResults;
  readonly view: (request: undefined) => Answer<"view">;
  readonly close: (request: undefined) => void;
}

/** A request on its way to a thread. */
export interface RequestMessage {
  readonly operation: string;
  readonly request: unknown;
}

/** The answer to the one request that was under way. */
export type AnswerMessage =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly error: PackedError; readonly broken: boolean };

/** Sent by the writer between requests. */
export interface LogMessage {
  /** The bytes of the write-ahead log that are in use; undefined when it could not be looked at. */
  readonly walBytes: number | undefined;
  /** Why the log could not be copied; the next attempt may succeed, unless the store broke. */
  readonly trouble: string | undefined;
}

export interface PackedError {
  readonly code: string;
  readonly message: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  /** Whether it is a {@link LockedError}: classes do not travel. */
  readonly locked: boolean;
}

export function packError(error: SynodError): PackedError {
  const { code, message, outcome, retryable } = error;
  return { code, message, outcome, retryable, locked: error instanceof LockedError };
}

export function unpackError({ code, message, outcome, retryable, locked }: PackedError): SynodError {
  return new (locked ? LockedError : SynodError)(code, message, { outcome, retryable });
}

/** A value with its {@link SynodError} packed, whichever of its variants it is. */
type Packed<Value> = Value extends { readonly error: SynodError }
  ? Omit<Value, "error"> & { readonly error: PackedError }
  : Value;

export type CommitAnswer = Packed<CommitResult>;

export function unpackCommitAnswer(answer: CommitAnswer): CommitResult {
  return "error" in answer ? { ...answer, error: unpackError(answer.error) } : answer;
}

export type RenewAnswer =
  | Extract<RenewResult, { status: "ended" }>
  | (Omit<Extract<RenewResult, { status: "renewed" }>, "renewals"> & {
      readonly renewals: readonly (readonly [incarnation: number, renewals: number])[];
    });

export function unpackRenewAnswer(answer: RenewAnswer): RenewResult {
  return answer.status === "ended" ? answer : { ...answer, renewals: new Map(answer.renewals) };
}
