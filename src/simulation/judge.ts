/**
 * The judge of a run: hears everything that matters as it happens, and says at once what breaks a promise. The
 * promises are those of docs/guarantees.md; what a violation is called here is what a report shows.
 */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { CommitBatch, CommitResult, EntityChange, JoinRequest, Read, ShardId } from "../ports/store.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import { initialText } from "../runtime/snapshot.ts";
import type { AnyService, AnySystem } from "../service/model.ts";
import { DerivedCalls } from "./checkers/derived-calls.ts";
import { EntityOrder } from "./checkers/entity-order.ts";
import { originOf } from "./checkers/origin.ts";
import { OwnershipTrace } from "./checkers/ownership.ts";
import { PromisedWork } from "./checkers/promised-work.ts";
import { settledCallsIn } from "./checkers/settled-calls.ts";
import { GivenKeys } from "./given-keys.ts";
import type { RunObserver } from "./handler-runs.ts";
import {
  type ClientOperation,
  changesState,
  describeOperation,
  describeReply,
  describeRun,
  type HandlerRun,
  isDurable,
  leavesWork,
  type MadeCall,
  nameOfEntity,
  type Request,
  sameReply,
  shortened,
} from "./operation.ts";
import { Reached } from "./reached.ts";
import { operationAskedFor } from "./scenario-code.ts";
import { StateShapes } from "./state-shapes.ts";
import type { HeardCall } from "./watched-calls.ts";
import type { Process } from "./world/process.ts";
import type { StoreMethod, StoreObserver } from "./world/store.ts";
import type { World } from "./world/world.ts";

/** A broken promise. */
export interface Violation {
  /** The promise in words: `linearizable`, `effectively once`, … */
  readonly promise: string;
  /** Of an invariant of the scenario: its name. */
  readonly invariant?: string;
  readonly text: string;
  /** When it was seen, ms since the world began, and after how many lines of the trace. */
  readonly at: number;
  readonly traceLength: number;
}

/** Violations that a run keeps: the first is the one that matters. */
const violationsMax = 20;

type MadeByClient = Pick<ClientOperation, "client" | "principal" | "inputText" | "idempotencyKey">;

/** What was in the memory of a process when it sent a commit. */
type SentCommit = ReadonlyMap<string, readonly HandlerRun[]>;

export class Judge implements StoreObserver, RunObserver {
  readonly shapes: StateShapes;
  readonly violations: Violation[] = [];
  /** Everything that clients asked for. */
  readonly operations: ClientOperation[] = [];
  /** By service and key. */
  readonly orders: Map<string, EntityOrder> = new Map();
  /** How often each thing happened that a report tells of. */
  readonly counts: { runs: number; commits: number; checks: number } = { runs: 0, commits: 0, checks: 0 };
  readonly reached: Reached = new Reached();
  /** Called after each commit that was accepted. */
  onCommitted: (batch: CommitBatch) => void = () => {};
  /** Called when a process sends a commit: there is most on it then that is not durable. */
  onCommitSent: (process: Process) => void = () => {};
  /** Told of every run of a handler as it begins. */
  readonly watchers: Set<(run: HandlerRun) => void> = new Set();
  /** Told of every call that a run makes. */
  readonly makers: Set<(run: HandlerRun) => void> = new Set();
  readonly #world: World;
  readonly #services: ReadonlyMap<string, AnyService>;
  readonly #ownership = new OwnershipTrace();
  /** The highest that was committed to each shard. */
  readonly #stateVersions = new Map<string, number>();
  /** Durable commands, messages and timers. */
  readonly work: PromisedWork;
  readonly #derived: DerivedCalls;
  readonly #givenKeys = new GivenKeys();
  /** What is wrong with settled calls in the commit that is being decided. */
  #settled: readonly string[] = [];
  readonly #nodes = new Map<number, string>();

  /** `upgrade`: the release that comes in during the run, if one does. */
  constructor(world: World, system: AnySystem, limits: NodeLimits, upgrade?: AnySystem) {
    this.#world = world;
    this.shapes = new StateShapes(upgrade);
    this.#services = new Map(system.services.map((service) => [service.interface.name, service]));
    const report = (promise: string, text: string): void => this.report(promise, text);
    const isDurable = (service: string, operation: string): boolean => {
      const definition = this.#services.get(service)?.interface.operations[operation];
      return definition?.kind === "command" && definition.durable;
    };
    this.work = new PromisedWork(report, isDurable, limits.timersPerEntityMax);
    this.#derived = new DerivedCalls(report);
  }

  report(promise: string, text: string, invariantName?: string): void {
    this.#world.trace.add("judge", "violation", `${promise}: ${text.split("\n")[0]}`);
    if (this.violations.length >= violationsMax) return;
    const { now, trace } = this.#world;
    const named = invariantName === undefined ? undefined : { invariant: invariantName };
    this.violations.push({ promise, ...named, text, at: now, traceLength: trace.length });
  }

  order(service: string, key: string): EntityOrder {
    const name = nameOfEntity(service, key);
    let order = this.orders.get(name);
    if (order === undefined) {
      const { state } = this.#services.get(service)!;
      const text = initialText(this.#services.get(service)!, key);
      order = new EntityOrder(name, this.shapes.text(service, key, state!.version, text));
      this.orders.set(name, order);
    }
    return order;
  }

  /** A client is about to ask for something. */
  invoked(request: Request, made: MadeByClient): ClientOperation {
    const definition = operationAskedFor(this.#services, request);
    const operation = this.#givenKeys.join({
      ...made,
      number: this.operations.length,
      kind: definition.kind,
      request,
      invokedAt: this.#world.now,
      floor: request.key === undefined ? 0 : this.order(request.service, request.key).observed,
      outcome: "open",
      reply: undefined,
      refusals: [],
      completedAt: Number.POSITIVE_INFINITY,
      underItsKey: [],
      running: new Set(),
      attempts: 0,
      runs: [],
      committed: [],
      called: [],
    });
    this.operations.push(operation);
    return operation;
  }

  /** An answer leaves a node: what it says must be durable by now. */
  left(operation: ClientOperation, reply: GatewayReply): void {
    const { request, kind, committed } = operation;
    if (!isReply(reply) || request.key === undefined || kind === "query") return;
    this.counts.checks++;
    const durable = committed.some((run) => run.reply !== undefined && sameReply(run.reply, reply));
    if (durable || this.#ranWithoutEffect(operation, reply) !== undefined) return;
    this.report(
      "durable",
      `${describeOperation(operation)} was answered ${describeReply(reply)} before that was in the store`,
    );
  }

  /** The client has its final answer, or gives up. */
  completed(operation: ClientOperation, outcome: "ok" | "fail" | "info", reply: GatewayReply | undefined): void {
    operation.outcome = outcome;
    operation.reply = reply;
    operation.completedAt = this.#world.now;
    this.counts.checks++;
    if (outcome === "fail") return this.#mustNotHaveHappened(operation);
    if (outcome === "info" || reply === undefined) return;
    if (!operation.runs.some((run) => run.reply !== undefined && sameReply(run.reply, reply))) {
      this.report(
        "linearizable",
        `${describeOperation(operation)} was answered ${describeReply(reply)}, which no handler said`,
      );
    } else if (operation.request.key !== undefined) this.#checkPlace(operation, reply);
  }

  // What the store tells.

  commitSent(process: Process, batch: CommitBatch): SentCommit {
    this.onCommitSent(process);
    const sent = new Map<string, readonly HandlerRun[]>();
    for (const { shard, entities } of batch.shards) {
      for (const { key } of entities) {
        const order = this.order(shard.service, key);
        sent.set(order.name, order.pendingOf(process));
      }
    }
    return sent;
  }

  deciding(database: MemoryDatabase, batch: CommitBatch): void {
    this.#settled = settledCallsIn(database, batch);
  }

  committed(_process: Process, batch: CommitBatch, result: CommitResult, sent: unknown): void {
    if (result.status !== "committed") return;
    this.counts.commits++;
    for (const text of this.#settled) this.report("floors", text);
    const { incarnation } = batch;
    const node = this.#nodes.get(incarnation) ?? `incarnation ${incarnation}`;
    for (const { shard, epoch, entities, progress } of batch.shards) {
      const wrong = this.#ownership.accept({ shard, epoch, node, incarnation });
      if (wrong !== undefined) {
        const names = entities.map(({ key }) => nameOfEntity(shard.service, key));
        this.report("one owner", `${wrong}${names.length === 0 ? "" : `, with ${names.join(", ")}`}`);
      }
      for (const change of entities) this.#accept(shard, change, sent as SentCommit);
      if (progress !== null) this.work.shardCommitted(shard, progress);
    }
    this.work.committed();
    this.reached.committed(batch);
    this.onCommitted(batch);
  }

  #accept(shard: ShardId, change: EntityChange, sent: SentCommit): void {
    const order = this.order(shard.service, change.key);
    const explains = (runs: readonly HandlerRun[]): boolean => this.work.explains(shard, change, runs);
    this.#checkStateVersion(shard, change);
    const { state, stateVersion } = change;
    const text = state && this.shapes.text(shard.service, change.key, stateVersion, state);
    const found = order.accept({ ...change, state: text }, sent.get(order.name) ?? [], {
      at: this.#world.now,
      explains,
      mayBeUndone: (run) => this.work.mayBeUndone(run),
    });
    if (typeof found === "string") this.report("linearizable", found);
    this.work.entityCommitted(shard, change, typeof found === "string" ? null : found);
    if (typeof found === "string") return;
    for (const run of found) if (leftSomething(run, change, order)) this.#tookEffect(run);
  }

  /** Whoever writes a shard knows the version of everything in it. */
  #checkStateVersion({ service, number }: ShardId, { key, state, stateVersion }: EntityChange): void {
    if (state === null) return;
    const shard = `${service}/${number}`;
    const highest = this.#stateVersions.get(shard) ?? 0;
    this.#stateVersions.set(shard, Math.max(highest, stateVersion));
    if (stateVersion >= highest) return;
    const words = `${nameOfEntity(service, key)} was written in version ${stateVersion} of its state`;
    this.report("state versions", `${words}, when its shard had states of version ${highest}`);
  }

  readSent(process: Process, reads: readonly Read[]): void {
    for (const read of reads) {
      if (read.kind === "entity") this.order(read.shard.service, read.key).forgotten(process);
    }
  }

  delivered(process: Process, batch: CommitBatch, { status }: CommitResult): void {
    // What is refused with others is tried again without them; what is refused alone is refused for good.
    const alone = batch.shards.length === 1 && batch.shards[0]?.entities.length === 1;
    if (status !== "failed" && !(status === "refused" && alone)) return;
    for (const { shard, entities } of batch.shards) {
      for (const { key } of entities) this.order(shard.service, key).forgotten(process);
    }
  }

  answered(_process: Process, method: StoreMethod, request: unknown, answer: unknown): void {
    if (method !== "join") return;
    this.#nodes.set((answer as { incarnation: number }).incarnation, (request as JoinRequest).node);
  }

  // What handlers tell.

  operation(number: number): ClientOperation | null {
    return this.operations[number] ?? null;
  }

  nextRunNumber(): number {
    return ++this.counts.runs;
  }

  started(run: HandlerRun): void {
    for (const watch of this.watchers) watch(run);
    this.work.started(run);
    this.reached.started(run);
    const { client } = run;
    if (client === null) return;
    if (isRunOf(run, client)) {
      client.running.add(run);
      client.attempts++;
      if (client.outcome === "fail" && run.key === null) this.#mustNotHaveHappened(client);
      // A call of an earlier attempt may still be under way: which one it belongs to is not known.
    } else if (client.attempts === 1 && !isDelivered(run))
      for (const caller of client.running) this.#checkDeparture(caller, run);
  }

  ended(run: HandlerRun): void {
    this.#world.trace.add(
      run.process.name,
      "ran",
      `${nameOfEntity(run.service, run.key)}.${run.operation}: ${run.outcome} for ${run.client === null ? "?" : `#${run.client.number}`} (${run.id}, attempt ${run.attempt})`,
      () => describeRun(run),
    );
    run.client?.running.delete(run);
    if (run.outcome !== "value" && run.outcome !== "declared") return;
    this.work.ended(run);
    if (run.client !== null) (isRunOf(run, run.client) ? run.client.runs : run.client.called).push(run);
    if (run.key === null) return;
    const order = this.order(run.service, run.key);
    if (run.kind === "command") return order.ended(run);
    if (run.start === null || order.had(run.start)) return;
    this.report(
      "durable",
      `${run.operation} on ${order.name} saw ${shortened(run.start)} on ${nameOf(run)}, which is not in the store`,
    );
  }

  made(run: HandlerRun, call: MadeCall): void {
    for (const watch of [...this.makers]) watch(run);
    this.#derived.made(run, call);
  }

  learned(run: HandlerRun, call: MadeCall): void {
    this.work.learned(run, call);
  }

  heard(caller: HandlerRun, call: HeardCall): void {
    const { client } = caller;
    if (client === null || call.key === null || !caller.holdsContext()) return;
    this.counts.checks++;
    const order = this.order(call.service, call.key);
    // What a durable command has heard once, it hears again: its own beginning is all that answers have to be after.
    const floor = order.observedBefore(isDurable(caller) ? client.invokedAt : caller.startedAt);
    const place = placeOfAnswer(client.called, call, order, floor);
    if (place !== undefined) return order.observe(place, this.#world.now);
    const words = `${caller.operation} on ${nameOfEntity(caller.service, caller.key)} heard ${shortened(call.output ?? "ok")}`;
    const asked = `${call.operation} on ${order.name}, for ${describeOperation(client)}`;
    this.report(
      "linearizable",
      `${words} from ${asked}: no handler said that on a state that is in the store, at position ${floor} or later`,
    );
  }

  // The checks.

  #tookEffect(run: HandlerRun): void {
    const { client } = run;
    if (client === null) return;
    const order = this.order(run.service, run.key!);
    const isOwn = isRunOf(run, client);
    const { committed } = client;
    if (isOwn) committed.push(run);
    if (!order.isCertain(run)) return;
    if (!isOwn && !isDelivered(run)) this.#derived.tookEffect(client, run);
    if (!hasEffect(run)) return;
    const first = committed.find((other) => other !== run && order.isCertain(other));
    if (isOwn && first !== undefined) {
      this.report(
        "effectively once",
        `${describeOperation(client)} took effect twice: at position ${first.position} on ${nameOf(first)}, at ${run.position} on ${nameOf(run)}`,
      );
    }
    if (client.outcome === "fail") this.#mustNotHaveHappened(client);
  }

  /** Exit gate: what a command calls must not learn of anything that could still be lost. */
  #checkDeparture(caller: HandlerRun, callee: HandlerRun): void {
    if (caller.kind !== "command" || caller.key === null || caller.start === null || !caller.holdsContext()) return;
    const order = this.order(caller.service, caller.key);
    if (order.had(caller.start)) return;
    this.report(
      "exit gate",
      `${caller.operation} on ${order.name} called ${nameOfEntity(callee.service, callee.key)}.${callee.operation} while it ran on ${shortened(caller.start)}, which is not in the store`,
    );
  }

  /** Nothing is left of it or of what it called; and what has no key, with effects elsewhere, was not even begun. */
  #mustNotHaveHappened(operation: ClientOperation): void {
    const { committed, called, attempts, kind, request, underItsKey } = operation;
    // What is refused to one of several under one key says nothing of the others.
    if (underItsKey.some(({ outcome }) => outcome !== "fail")) return;
    const effect = [...committed, ...called].find((run) => {
      return run.position > 0 && hasEffect(run) && this.order(run.service, run.key!).isCertain(run);
    });
    const wasBegun = kind === "command" && request.key === undefined && attempts > 0;
    if (effect === undefined && !wasBegun) return;
    const what =
      effect === undefined ? "its handler was begun" : `${nameOfRun(effect)} did, at position ${effect.position}`;
    this.report(
      "known outcome",
      `${describeOperation(operation)} was told that it did not happen (${describeReply(operation.reply)}), and ${what}`,
    );
  }

  /** A run of this command that said this, and left everything as it was. */
  #ranWithoutEffect({ runs, request }: ClientOperation, reply: GatewayReply): HandlerRun | undefined {
    const order = this.order(request.service, request.key!);
    return runs.find((run) => {
      if (run.reply === undefined || !sameReply(run.reply, reply) || leavesWork(run)) return false;
      // It wrote without looking: maybe what was there already.
      if (run.end !== null && run.start === null) return order.had(run.end);
      if (changesState(run)) return false;
      return run.start === null || order.had(run.start);
    });
  }

  /** Real time: nobody sees less than what somebody had seen before. */
  #checkPlace(operation: ClientOperation, reply: GatewayReply): void {
    const { request, floor, committed, runs } = operation;
    const order = this.order(request.service, request.key!);
    const took = committed.find((run) => run.reply !== undefined && sameReply(run.reply, reply));
    if (took !== undefined) {
      if (took.position <= floor) {
        this.report(
          "linearizable",
          `${describeOperation(operation)} took effect at position ${took.position} of ${order.name}, before what others had seen (${floor}) when it was asked for`,
        );
      }
      order.observe(took.position, this.#world.now);
      return;
    }
    const saw = runs.filter((run) => run.reply !== undefined && sameReply(run.reply, reply));
    if (saw.some(({ start }) => start === null)) return;
    const places = saw.map(({ start }) => order.positionOf(start!, floor)).filter((place) => place !== undefined);
    if (places.length > 0) {
      order.observe(Math.min(...places), this.#world.now);
      return;
    }
    const start = saw[0]!.start!;
    const before = order.positionOf(start, 0);
    const seen = `${describeOperation(operation)} saw ${shortened(start)} on ${nameOf(saw[0]!)}`;
    const latest = `others had seen ${shortened(order.textAt(floor)!)} (position ${floor}) before it was asked for`;
    this.report(
      "linearizable",
      before === undefined ? `${seen}, which was never committed` : `${seen}, which is position ${before}; ${latest}`,
    );
  }
}

/** What must not happen twice, nor be lost. A reply alone may be given again where nobody keeps it. */
function hasEffect(run: HandlerRun): boolean {
  return changesState(run) || leavesWork(run);
}

/**
 * A call without an id that leaves the state as it is, and nothing for later, has no part of its commit: whoever loses
 * it with the commit's answer may run it again, and that is the only time that it does anything.
 */
function leftSomething(run: HandlerRun, { records }: EntityChange, order: EntityOrder): boolean {
  const { id, end, position } = run;
  if (leavesWork(run) || records.some((record) => record.id === id)) return true;
  return end !== null && end !== order.textAt(position - 1);
}

/**
 * The first position at which an answer that a handler heard can have been given; undefined when there is none. The
 * reply to a command may be that of an earlier attempt of its caller, so it has to be in the store, at any position.
 */
function placeOfAnswer(
  runs: readonly HandlerRun[],
  { service, key, operation, kind, output }: HeardCall,
  order: EntityOrder,
  floor: number,
): number | undefined {
  const places = runs.map((run) => {
    const { reply, start, end, position } = run;
    if (run.service !== service || run.key !== key || run.operation !== operation) return undefined;
    if (reply?.ok !== true || reply.output !== output) return undefined;
    if (position > 0) return position;
    if (leavesWork(run)) return undefined;
    if (start === null) return end === null || order.had(end) ? floor : undefined;
    return end === null || end === start ? order.positionOf(start, kind === "query" ? floor : 0) : undefined;
  });
  const possible = places.filter((place) => place !== undefined);
  return possible.length === 0 ? undefined : Math.min(...possible);
}

/** A value or a declared error: what the business logic said, as opposed to the runtime. */
export function isReply(reply: GatewayReply): boolean {
  return reply.ok || reply.error.declared;
}

/** Run by a message or a timer that came of what the client asked for, when that was done. */
function isDelivered({ id }: HandlerRun): boolean {
  const origin = originOf(id);
  return origin !== null && origin.kind !== "call";
}

function isRunOf(run: HandlerRun, { request }: ClientOperation): boolean {
  if (originOf(run.id) !== null) return false;
  return run.service === request.service && run.key === (request.key ?? null) && run.operation === request.operation;
}

function nameOfRun({ service, key, operation }: HandlerRun): string {
  return `${nameOfEntity(service, key)}.${operation}`;
}

function nameOf({ process }: HandlerRun): string {
  return process.generation === 1 ? process.name : `${process.name} (process ${process.generation})`;
}
