/**
 * What the node's thread and the store's threads say to each other. Whole batches and their answers cross as
 * flat arrays, which structured clone copies 2.7 times as fast as the objects that they stand for; errors cross
 * as plain objects, because structured clone would make a plain Error of them.
 */
import { type Outcome, SynodError } from "../../errors.ts";
import type {
  CallRecord,
  CommitBatch,
  CommitResult,
  Read,
  ReadResult,
  RenewResult,
  Store,
  StoreIdentity,
} from "../../ports/store.ts";
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
  /** Why the log could not be copied; the next attempt may succeed. */
  readonly trouble: string | undefined;
}

export interface PackedError {
  readonly code: string;
  readonly message: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
}

export function packError({ code, message, outcome, retryable }: SynodError): PackedError {
  return { code, message, outcome, retryable };
}

export function unpackError({ code, message, outcome, retryable }: PackedError): SynodError {
  return new SynodError(code, message, { outcome, retryable });
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

type Scalar = string | number | null;
export type PackedBatch = readonly Scalar[];
export type PackedReads = readonly Scalar[];
export type PackedReadResults = readonly (Scalar | PackedError)[];

export function packBatch({ incarnation, shards }: CommitBatch): PackedBatch {
  const packed: Scalar[] = [incarnation, shards.length];
  for (const { shard, epoch, entities, floors } of shards) {
    packed.push(shard.service, shard.number, epoch, entities.length);
    for (const { key, expectedVersion, version, stateVersion, state, records } of entities) {
      packed.push(key, expectedVersion, version, stateVersion, state, records.length);
      for (const { id, inputHash, reply, finishedAt, keyTime } of records) {
        packed.push(id, inputHash, reply, finishedAt, keyTime);
      }
    }
    packed.push(floors.length);
    for (const { session, floor, open } of floors) packed.push(session, floor, open.length, ...open);
  }
  return packed;
}

export function unpackBatch(packed: PackedBatch): CommitBatch {
  const { text, number, textOrNull, numberOrNull } = unpacking(packed);
  const list = <Item>(item: () => Item): Item[] => Array.from({ length: number() }, item);
  const record = () => ({
    id: text(),
    inputHash: text(),
    reply: text(),
    finishedAt: numberOrNull(),
    keyTime: numberOrNull(),
  });
  const entity = () => ({
    key: text(),
    expectedVersion: number(),
    version: number(),
    stateVersion: number(),
    state: textOrNull(),
    records: list(record),
  });
  const floor = () => ({ session: text(), floor: number(), open: list(number) });
  const changes = () => ({
    shard: { service: text(), number: number() },
    epoch: number(),
    entities: list(entity),
    floors: list(floor),
  });
  return { incarnation: number(), shards: list(changes) };
}

/** Takes one value after the other out of a packed array; whoever packed it has checked the types. */
function unpacking(packed: readonly unknown[]): {
  text: () => string;
  number: () => number;
  textOrNull: () => string | null;
  numberOrNull: () => number | null;
  error: () => SynodError;
} {
  let next = 0;
  const take = (): unknown => packed[next++];
  return {
    text: () => take() as string,
    number: () => take() as number,
    textOrNull: () => take() as string | null,
    numberOrNull: () => take() as number | null,
    error: () => unpackError(take() as PackedError),
  };
}

export function packReads(reads: readonly Read[], packed: Scalar[] = []): Scalar[] {
  for (const read of reads) {
    const { service, number } = read.shard;
    packed.push(read.kind, service, number, read.kind === "entity" ? read.key : read.id);
  }
  return packed;
}

export function unpackReads(packed: PackedReads): Read[] {
  const { text, number } = unpacking(packed);
  return Array.from({ length: packed.length / 4 }, () => {
    const kind = text();
    const shard = { service: text(), number: number() };
    return kind === "entity" ? { kind, shard, key: text() } : { kind: "record", shard, id: text() };
  });
}

export function packReadResults(results: readonly ReadResult[]): PackedReadResults {
  const packed: (Scalar | PackedError)[] = [];
  for (const result of results) {
    if (result.kind === "corrupt") packed.push("corrupt", packError(result.error));
    else if (result.kind === "entity") {
      if (result.row === null) packed.push("no entity");
      else packed.push("entity", result.row.version, result.row.stateVersion, result.row.state);
    } else if (result.record === null) packed.push("no record");
    else {
      const { id, inputHash, reply, finishedAt, keyTime } = result.record;
      packed.push("record", id, inputHash, reply, finishedAt, keyTime);
    }
  }
  return packed;
}

/** Answers a function that takes the next result out. */
export function unpackReadResults(packed: PackedReadResults): () => ReadResult {
  const { text, number, numberOrNull, error } = unpacking(packed);
  return () => {
    const kind = text();
    if (kind === "corrupt") return { kind, error: error() };
    if (kind === "no entity") return { kind: "entity", row: null };
    if (kind === "no record") return { kind: "record", record: null };
    if (kind === "entity") return { kind, row: { version: number(), stateVersion: number(), state: text() } };
    return { kind: "record", record: record() };
  };

  function record(): CallRecord {
    return { id: text(), inputHash: text(), reply: text(), finishedAt: numberOrNull(), keyTime: numberOrNull() };
  }
}
