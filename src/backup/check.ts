/**
 * Whether the rows of a store belong together. Every row is compared with its checksums, and then with its neighbours:
 *
 * - a shard's number is below the number of shards per service, and a service has all of its shards, each once;
 * - a key rests in the shard that it hashes to: of entities, items, messages and timers;
 * - no state has a higher version than its shard says, and no row is in a shard that nobody ever owned (epoch 0);
 * - no number of an item or a message, and no generation of a timer, was never given out; items and messages share no number;
 * - an item that is open has no recorded reply yet, and every entry of a journal has its item;
 * - a shard counts its timed records right;
 * - open numbers of a floor ascend and are below it, and no record is left of a call that a floor has settled.
 *
 * That an entity's row is missing altogether can only be seen in a backup, which counts its rows. A shard at a time is
 * looked at, so memory is bounded by the largest shard.
 */
import {
  entityChecksum,
  entryChecksum,
  itemChecksum,
  itemProgressChecksum,
  messageChecksum,
  messageProgressChecksum,
  recordChecksum,
  timerChecksum,
  timerCountChecksum,
} from "../ports/checksums.ts";
import type { SnapshotFacts, SnapshotKind, SnapshotRow, SnapshotRows, SnapshotShard } from "../ports/snapshot.ts";
import { snapshotKinds } from "../ports/snapshot.ts";
import { shardOf } from "../values/hash.ts";
import { sessionCallOf } from "../values/ids.ts";

/** Faults that are told one by one; of more only their number. */
const faultsToldMax = 100;

export interface CheckReport {
  /** Rows of each kind. */
  readonly rows: Readonly<Record<SnapshotKind, number>>;
  /** The first of the faults, in words. */
  readonly faults: readonly string[];
  readonly faultsLength: number;
}

/** What is remembered of the shard that is being looked at. */
interface OpenShard {
  readonly shard: SnapshotShard;
  readonly floors: Map<string, SnapshotRows["floor"]>;
  readonly recordIds: Set<string>;
  /** Items and messages. */
  readonly numbers: Set<number>;
  readonly items: Set<number>;
  timedRecords: number;
  rows: number;
}

/** Looks at rows in the order in which a snapshot has them. */
export class Check {
  readonly #facts: Pick<SnapshotFacts, "shardsPerService">;
  readonly #counts = Object.fromEntries(snapshotKinds.map((kind) => [kind, 0])) as Record<SnapshotKind, number>;
  readonly #faults: string[] = [];
  #faultsLength = 0;
  /** Numbers of shards seen, by service. */
  readonly #services = new Map<string, Set<number>>();
  #open: OpenShard | undefined;

  constructor(facts: Pick<SnapshotFacts, "shardsPerService">) {
    this.#facts = facts;
  }

  get rowsLength(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  get shardsLength(): number {
    return this.#counts.shard;
  }

  add(given: SnapshotRow): void {
    this.#counts[given.kind] += 1;
    if (given.kind === "shard") return this.#begin(given.row);
    const open = this.#open;
    if (open === undefined) return this.fault(`a row of kind ${given.kind} stands before the first shard`);
    open.rows += 1;
    this.#addTo(open, given);
  }

  fault(sentence: string): void {
    this.#faultsLength += 1;
    if (this.#faults.length < faultsToldMax) this.#faults.push(sentence);
  }

  /** After the last row. */
  end(): CheckReport {
    this.#close();
    const { shardsPerService } = this.#facts;
    for (const [service, numbers] of this.#services) {
      const missing = shardsPerService - numbers.size;
      if (missing > 0) this.fault(`service ${service} lacks ${missing} of its ${shardsPerService} shards`);
    }
    return { rows: this.#counts, faults: this.#faults, faultsLength: this.#faultsLength };
  }

  #begin(shard: SnapshotShard): void {
    this.#close();
    const { service, number } = shard;
    const numbers = this.#services.get(service) ?? new Set();
    this.#services.set(service, numbers);
    if (numbers.has(number)) this.fault(`${service}/${number} is there twice`);
    if (!(number >= 0 && number < this.#facts.shardsPerService))
      this.fault(`there can be no shard ${service}/${number}`);
    numbers.add(number);
    const sets = {
      floors: new Map(),
      recordIds: new Set<string>(),
      numbers: new Set<number>(),
      items: new Set<number>(),
    };
    this.#open = { shard, ...sets, timedRecords: 0, rows: 0 };
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { shard, timedRecords, rows } = open;
    const at = nameOf(shard);
    if (shard.timedRecords !== timedRecords)
      this.fault(`${at} counts ${shard.timedRecords} timed records, and has ${timedRecords}`);
    if (rows > 0 && shard.epoch === 0) this.fault(`${at} has rows, and nobody ever owned it`);
  }

  #addTo(open: OpenShard, given: Exclude<SnapshotRow, { readonly kind: "shard" }>): void {
    switch (given.kind) {
      case "floor":
        return this.#addFloor(open, given.row);
      case "entity":
        return this.#addEntity(open, given.row);
      case "record":
        return this.#addRecord(open, given.row);
      case "item":
        return this.#addItem(open, given.row);
      case "entry":
        return this.#addEntry(open, given.row);
      case "message":
        return this.#addMessage(open, given.row);
      case "timer":
        return this.#addTimer(open, given.row);
    }
  }

  #addFloor(open: OpenShard, row: SnapshotRows["floor"]): void {
    const name = `the floor of session ${row.session} in ${nameOf(open.shard)}`;
    const ascends = row.open.every((number, at) => number < row.floor && (at === 0 || row.open[at - 1]! < number));
    if (!ascends) this.fault(`${name} has open numbers that do not ascend below it`);
    open.floors.set(row.session, row);
  }

  #addEntity({ shard }: OpenShard, row: SnapshotRows["entity"]): void {
    const name = `the state of ${shard.service}/${JSON.stringify(row.key)}`;
    this.#checkSum(name, entityChecksum(shard.service, row.key, row) === row.checksum);
    this.#checkKey(shard, row.key, name);
    if (row.stateVersion > shard.stateVersion)
      this.fault(`${name} has version ${row.stateVersion}, its shard only ${shard.stateVersion}`);
  }

  #addRecord(open: OpenShard, row: SnapshotRows["record"]): void {
    const name = `the reply recorded under ${JSON.stringify(row.id)} in ${nameOf(open.shard)}`;
    this.#checkSum(name, recordChecksum(open.shard.service, row) === row.checksum);
    if (row.keyTime !== null) open.timedRecords += 1;
    open.recordIds.add(row.id);
    const call = row.finishedAt === null ? sessionCallOf(row.id) : undefined;
    const floor = call && open.floors.get(call.session);
    if (call && floor && call.number < floor.floor && !floor.open.includes(call.number))
      this.fault(`${name} should have gone with the floor of its session`);
  }

  #addItem(open: OpenShard, row: SnapshotRows["item"]): void {
    const { shard } = open;
    const name = `item ${row.number} of ${nameOf(shard)}`;
    const { callSession, callNumber } = row;
    const call = callSession === null || callNumber === null ? null : { session: callSession, number: callNumber };
    const item = { ...row, call, holdsTurn: Boolean(row.holdsTurn) };
    const isWhole =
      itemChecksum(shard, item) === row.checksum && itemProgressChecksum(shard, item) === row.progressChecksum;
    this.#checkSum(name, isWhole);
    this.#checkKey(shard, row.key, name);
    this.#checkNumber(open, row.number, name);
    open.items.add(row.number);
    if (open.recordIds.has(row.id)) this.fault(`${name} is open, and its reply is recorded`);
  }

  #addEntry({ shard, items }: OpenShard, row: SnapshotRows["entry"]): void {
    const name = `entry ${JSON.stringify(row.id)} of item ${row.item} of ${nameOf(shard)}`;
    this.#checkSum(name, entryChecksum(shard, row.item, row) === row.checksum);
    if (!items.has(row.item)) this.fault(`${name} has lost its item`);
  }

  #addMessage(open: OpenShard, row: SnapshotRows["message"]): void {
    const { shard } = open;
    const name = `message ${row.number} of ${nameOf(shard)}`;
    const isWhole =
      messageChecksum(shard, row) === row.checksum && messageProgressChecksum(shard, row) === row.progressChecksum;
    this.#checkSum(name, isWhole);
    this.#checkKey(shard, row.key, name);
    this.#checkNumber(open, row.number, name);
  }

  #addTimer({ shard }: OpenShard, row: SnapshotRows["timer"]): void {
    const name = `timer ${JSON.stringify([row.key, row.name])} of ${nameOf(shard)}`;
    const isCounted = row.countChecksum === null || timerCountChecksum(shard, row) === row.countChecksum;
    this.#checkSum(name, isCounted && timerChecksum(shard, row) === row.checksum);
    this.#checkKey(shard, row.key, name);
    if (row.generation >= shard.sessionNext) this.fault(`${name} has a generation that was never given out`);
  }

  #checkSum(name: string, isWhole: boolean): void {
    if (!isWhole) this.fault(`${name} does not match its checksum`);
  }

  #checkKey({ service, number }: SnapshotShard, key: string, name: string): void {
    const home = shardOf(service, key, this.#facts.shardsPerService);
    if (home !== number) this.fault(`${name} rests in shard ${number}, and its key belongs into ${home}`);
  }

  #checkNumber({ shard, numbers }: OpenShard, number: number, name: string): void {
    if (number >= shard.sessionNext) this.fault(`${name} has a number that was never given out`);
    if (numbers.has(number)) this.fault(`${name} has the number of something else`);
    numbers.add(number);
  }
}

function nameOf({ service, number }: SnapshotShard): string {
  return `${service}/${number}`;
}
