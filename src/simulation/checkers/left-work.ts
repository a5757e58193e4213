/**
 * What a commit must do to the messages and timers of an entity, by the handlers whose effect it is: neither more nor
 * less than they left behind, in the order in which they did (guarantee G5).
 */
import type { EntityWork } from "../../ports/work.ts";
import type { HandlerRun, LeftMessage, LeftTimer } from "../operation.ts";

/** What an entity's timers are while a commit is looked at. */
export interface KnownTimers {
  /** The name of the timer that ran this handler, if it was set when the commit came. */
  firedBy(run: HandlerRun): string | undefined;
  /** Whether the timer of that name runs a durable command: the acceptance of that clears it. */
  runsDurable(name: string): boolean;
}

/** What is wrong, in words; undefined when nothing is. */
export function leftWorkFault(
  work: EntityWork | null,
  runs: readonly HandlerRun[],
  timers: KnownTimers,
): string | undefined {
  if (work === null && runs.every(leavesNothing)) return undefined;
  const { sent, delayed, names } = leftBy(runs, timers);
  return (
    messagesFault("sends", sent, (work?.sent ?? []).map(textOf)) ??
    messagesFault("sends later", delayed, delayedBy(work)) ??
    timersFault(names, work, timers)
  );
}

export function leavesNothing({ left, id }: HandlerRun): boolean {
  return left.messages.length === 0 && left.timers.size === 0 && !id.includes("~");
}

function leftBy(runs: readonly HandlerRun[], timers: KnownTimers) {
  const sent: string[] = [];
  const delayed: string[] = [];
  const names = new Map<string, LeftTimer | null>();
  for (const run of runs) {
    for (const message of run.left.messages) {
      if (message.dueAt === null) sent.push(textOf(message));
      else delayed.push(`${textOf(message)} at ${message.dueAt}`);
    }
    const fired = timers.firedBy(run);
    if (fired !== undefined) names.set(fired, null);
    for (const [name, timer] of run.left.timers) names.set(name, timer);
  }
  return { sent, delayed, names };
}

function textOf({ service, target, operation, input }: Omit<LeftMessage, "dueAt">): string {
  return `${service}${target === null ? "" : `/${target}`}.${operation} ${input ?? ""}`.trimEnd();
}

function delayedBy(work: EntityWork | null): string[] {
  return (work?.timersSet ?? []).flatMap(({ service, target, operation, input, dueAt }) =>
    service === null ? [] : [`${textOf({ service, target, operation, input })} at ${dueAt}`],
  );
}

function messagesFault(verb: string, left: readonly string[], committed: readonly string[]): string | undefined {
  const at = left.findIndex((text, index) => committed[index] !== text);
  if (at < 0 && left.length === committed.length) return undefined;
  const index = at < 0 ? left.length : at;
  return `its commit ${verb} ${committed[index] ?? "nothing more"}, and its handlers ${left[index] ?? "nothing more"}`;
}

function timersFault(
  names: ReadonlyMap<string, LeftTimer | null>,
  work: EntityWork | null,
  timers: KnownTimers,
): string | undefined {
  const set = new Map((work?.timersSet ?? []).flatMap((row) => (row.service === null ? [[row.name, row]] : [])));
  const cleared = new Set(work?.timersCleared);
  for (const [name, timer] of names) {
    const row = set.get(name);
    if (timer === null) {
      if (!cleared.has(name)) return `its handlers clear timer ${name}, and its commit does not`;
    } else if (row?.operation !== timer.operation || row.input !== timer.input || row.dueAt !== timer.dueAt) {
      return `its handlers set timer ${name} to ${timer.operation} at ${timer.dueAt}, and its commit to ${row?.operation ?? "nothing"} at ${row?.dueAt}`;
    }
  }
  const unasked = [...set.keys()].find((name) => !names.has(name));
  if (unasked !== undefined) return `its commit sets timer ${unasked}, and none of its handlers did`;
  const lost = [...cleared].find((name) => !names.has(name) && !timers.runsDurable(name));
  return lost === undefined ? undefined : `its commit clears timer ${lost}, and none of its handlers did`;
}
