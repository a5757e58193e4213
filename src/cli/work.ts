/**
 * `synod inbox`, `synod outbox` and `synod dead`: what a running system has promised and not finished, and what an
 * operator does about it. They are three views of one thing: durable commands, messages, and whatever of both is parked.
 */
import type {
  AdminTarget,
  WorkAction,
  WorkBox,
  WorkDetails,
  WorkPage,
  WorkQuery,
  WorkReport,
} from "../admin/target.ts";
import { SynodError, toSynodError } from "../errors.ts";
import { parseDuration } from "../values/durations.ts";
import { exitCodes, UsageError } from "./exit.ts";
import { findRunning, type WhichSystem } from "./running.ts";
import { age, fieldLines, table } from "./table.ts";

export type WorkView = "inbox" | "outbox" | "dead";

export interface WorkFilters extends WhichSystem {
  readonly json: boolean;
  readonly service?: string;
  readonly key?: string;
  readonly state?: "waiting" | "parked";
  /** A duration. */
  readonly olderThan?: string;
  readonly limit: number;
  /** Where an earlier list ended. */
  readonly after?: string;
}

/** Work that one question brings. */
const pageLengthMax = 100;

export async function listWork(view: WorkView, options: WorkFilters): Promise<void> {
  const query = queryOf(view, options);
  const { client } = await findRunning(options);
  const { work, damaged, next } = await collect(client, query, options.limit);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ work, damaged, next })}\n`);
    return;
  }
  process.stdout.write(work.length === 0 ? `Nothing ${emptyWords[view]}.\n` : workTable(work));
  if (damaged.length > 0) process.stdout.write(`\nDamaged, and never tried: ${damaged.join(", ")}\n`);
  if (next !== null) process.stdout.write(`\nThere may be more: add --after ${next}\n`);
}

const emptyWords = { inbox: "pends in the inboxes", outbox: "pends in the outboxes", dead: "is parked" } as const;

export async function showWork(id: string, options: WhichSystem & { readonly json: boolean }): Promise<void> {
  const { client } = await findRunning(options);
  const details = await client.workDetails(id);
  process.stdout.write(options.json ? `${JSON.stringify(details)}\n` : detailsText(details));
}

export interface OperateOptions extends WorkFilters {
  readonly all: boolean;
}

/** Resolves with the exit code; one that cannot be done does not keep the others from being done. */
export async function operateWork(
  view: WorkView,
  action: WorkAction,
  ids: readonly string[],
  options: OperateOptions,
): Promise<number> {
  if (ids.length > 0 === options.all)
    throw new UsageError("Name ids, or say --all for all that the filters let through.");
  const query = queryOf(view, options);
  const { client } = await findRunning(options);
  let failures = 0;
  for await (const id of options.all ? everything(client, query) : ids) {
    const failure = await operate(client, id, action, options.all);
    if (failure !== null) failures += 1;
    say(options.json, id, failure === null ? done[action] : "failed", failure);
  }
  return failures === 0 ? exitCodes.done : exitCodes.failed;
}

const done = { retry: "retried", drop: "dropped" } as const;

async function operate(
  client: AdminTarget,
  id: string,
  action: WorkAction,
  found: boolean,
): Promise<SynodError | null> {
  try {
    await client.operate(id, action);
    return null;
  } catch (error) {
    if (!(error instanceof SynodError)) throw error;
    // Between the list and now it may have come to its end by itself, which is as good.
    return found && error.code === "not_found" ? null : toSynodError(error);
  }
}

function say(json: boolean, id: string, event: string, error: SynodError | null): void {
  if (json) {
    const reason = error === null ? {} : { code: error.code, message: error.message };
    process.stdout.write(`${JSON.stringify({ event, id, ...reason })}\n`);
    return;
  }
  if (error === null) process.stdout.write(`${id} ${event}\n`);
  else process.stderr.write(`synod: ${id}: ${error.message}\n`);
}

/** All that fits, page by page. What is damaged is left to those who name it. */
async function* everything(client: AdminTarget, query: WorkQuery): AsyncGenerator<string> {
  for (let after = query.after; ; ) {
    const { work, next } = await client.work({ ...query, after, limit: pageLengthMax });
    for (const { id } of work) yield id;
    if (next === null) return;
    after = next;
  }
}

async function collect(client: AdminTarget, query: WorkQuery, limit: number): Promise<WorkPage> {
  const work: WorkReport[] = [];
  const damaged: string[] = [];
  let { after } = query;
  while (work.length < limit) {
    const page = await client.work({ ...query, after, limit: Math.min(pageLengthMax, limit - work.length) });
    work.push(...page.work);
    damaged.push(...page.damaged);
    if (page.next === null) return { work, damaged, next: null };
    after = page.next;
  }
  return { work, damaged, next: after ?? null };
}

function queryOf(view: WorkView, { service, key, state, olderThan, after }: WorkFilters): WorkQuery {
  const boxes: readonly WorkBox[] = view === "dead" ? ["inbox", "outbox"] : [view];
  const parked = view === "dead" ? true : state && state === "parked";
  const before = olderThan === undefined ? undefined : Date.now() - parseDuration(olderThan, "--older-than");
  return { boxes, service, key, parked, before: before && Math.floor(before), after };
}

const workColumns = ["id", "entity", "operation", "to", "age", "attempts", "state"];

export function workTable(work: readonly WorkReport[]): string {
  return table(workColumns, work.map(workRow));
}

function workRow(report: WorkReport): string[] {
  const { id, service, key, operation, to, since, attempts } = report;
  return [id, `${service}/${key}`, operation, receiver(to), age(Date.now() - since), String(attempts), stateOf(report)];
}

export function receiver(to: WorkReport["to"]): string {
  if (to === null) return "-";
  return to.key === null ? to.service : `${to.service}/${to.key}`;
}

function stateOf({ parked, holdsTurn }: WorkReport): string {
  if (parked === null) return "waiting";
  return `parked${holdsTurn ? ", blocks its entity" : ""}: ${parked.code}, ${parked.message}`;
}

export function detailsText(details: WorkDetails): string {
  const { id, box, service, key, operation, to, since, attempts, principal, request, input, journal } = details;
  const facts = fieldLines({
    id,
    [box === "inbox" ? "durable command" : "message"]: operation,
    [box === "inbox" ? "accepted by" : "sent by"]: `${service} ${JSON.stringify(key)}`,
    ...(to !== null && { to: receiver(to) }),
    since: `${new Date(since).toISOString()} (${age(Date.now() - since)})`,
    attempts: String(attempts),
    state: stateOf(details),
    ...(details.parked?.thrown !== undefined && { thrown: details.parked.thrown }),
    principal,
    request,
    input: input ?? "-",
  });
  if (journal.length === 0) return facts;
  const rows = journal.map(({ name, outcome }) => [name, outcome ?? "recorded by who was called, if it came so far"]);
  return `${facts}\n${table(["issued", "outcome"], rows)}`;
}
