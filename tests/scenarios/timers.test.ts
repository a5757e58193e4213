/**
 * Scenarios of the timers of one shard, with the rows that the store has. A timer is written `alice/remind#4`: entity,
 * name and generation, which tells it from earlier ones of its name. Every wait is half of what it may be at the most
 * (chance 0.5).
 *
 *     owner 10 [inMemory=8] [page=3] [firings=2] [attempts=3]   a node becomes the owner; it gives out generations from 10 on
 *     set alice remind 11 at=500 [attempts=1] [send=yes]   it is durable that the timer is set; `send`: it is a message
 *     left alice remind 4 at=500 [attempts=1] [send=yes]   the same in the store only: an earlier owner did it
 *     cleared alice remind        it is durable that there is none of that name
 *     page                        the answer to `read`, as the store is now
 *     at 500                      it is that time, ms since 1970
 *     done alice remind 11        how a firing ended: its command ran, or must not,
 *     waits alice remind 11       it could not run now,
 *     failed alice remind 11      or it failed
 *     show                        what is in memory, and when it looks again
 */
import { Timers, type TimersEffect, type TimersInput } from "../../src/core/timers/timers.ts";
import type { TimerPlace, TimerRow } from "../../src/ports/work.ts";
import { type Command, type Interpreter, scenarios } from "./interpreter.ts";

const chance = 0.5;

scenarios(new URL("./timers/", import.meta.url), timersInterpreter);

function timersInterpreter(): Interpreter {
  const desk = new Desk();
  return (command) => desk.perform(command);
}

class Desk {
  /** What the store has, by name. */
  readonly #rows = new Map<string, TimerRow>();
  #timers: Timers | null = null;
  #asked: { readonly after: TimerPlace | null; readonly limit: number } | null = null;
  #now = 0;

  perform(command: Command): string[] {
    switch (command.word(0)) {
      case "owner":
        this.#timers = ownedBy(command);
        return this.#step(command, { kind: "claimed" });
      case "left":
        this.#keep(rowOf(command));
        return [];
      case "set":
        return this.#step(command, { kind: "set", row: this.#keep(rowOf(command)) });
      case "cleared": {
        const [key, name] = [command.word(1), command.word(2)];
        this.#rows.delete(nameOf(key, name));
        return this.#step(command, { kind: "cleared", key, name });
      }
      case "page":
        return this.#step(command, this.#page(command));
      case "at":
        this.#now = Number(command.word(1));
        return this.#step(command, { kind: "time", now: this.#now });
      case "done":
      case "waits":
      case "failed":
        return this.#step(command, this.#fired(command, command.word(0) as "done" | "waits" | "failed"));
      case "show":
        return [this.#show(command)];
      default:
        throw command.error(`there is no command ${command.word(0)}`);
    }
  }

  #step(command: Command, input: TimersInput): string[] {
    if (this.#timers === null) throw command.error("nobody owns the shard yet");
    const effects = this.#timers.step(input);
    for (const effect of effects) if (effect.kind === "read") this.#asked = effect;
    return effects.map(describe);
  }

  #keep(row: TimerRow): TimerRow {
    this.#rows.set(nameOf(row.key, row.name), row);
    return row;
  }

  #page(command: Command): TimersInput {
    const asked = this.#asked;
    if (asked === null) throw command.error("nothing was read");
    this.#asked = null;
    const rows = [...this.#rows.values()]
      .toSorted((a, b) => a.dueAt - b.dueAt || (nameOf(a.key, a.name) < nameOf(b.key, b.name) ? -1 : 1))
      .filter((row) => asked.after === null || isBehind(row, asked.after));
    const page = rows.slice(0, asked.limit);
    return { kind: "page", rows: page, next: rows.length > page.length ? page.at(-1)! : null };
  }

  #fired(command: Command, how: "done" | "waits" | "failed"): TimersInput {
    const [key, name, generation] = [command.word(1), command.word(2), Number(command.word(3))];
    const outcome = how === "failed" ? { code: "internal", message: "it broke" } : how;
    return { kind: "fired", key, name, generation, now: this.#now, outcome, chance };
  }

  #show(command: Command): string {
    if (this.#timers === null) throw command.error("nobody owns the shard yet");
    const { lengthInMemory, complete, nextAt } = this.#timers;
    return `${lengthInMemory} in memory${complete ? ", which is all" : ""}, looks again at ${nextAt ?? "no time"}`;
  }
}

function ownedBy(command: Command): Timers {
  return new Timers({
    ownFrom: Number(command.word(1)),
    lengthMax: command.number("inMemory", 8),
    pageLengthMax: command.number("page", 3),
    inputLengthMax: 1_000,
    overdueMax: 6,
    firingsMax: command.number("firings", 2),
    attemptsMax: command.number("attempts", 3),
    backoffBaseMs: 100,
    backoffMaxMs: 1_000,
  });
}

function rowOf(command: Command): TimerRow {
  const isSend = command.option("send") === "yes";
  return {
    ...{ key: command.word(1), name: command.word(2), generation: Number(command.word(3)) },
    ...{ dueAt: command.number("at"), attempts: command.number("attempts", 0) },
    ...{ service: isSend ? "account" : null, target: isSend ? "bob" : null, operation: "ring", input: null },
    ...{ principal: "", request: "", traceparent: null },
  };
}

function isBehind(row: TimerRow, place: TimerPlace): boolean {
  if (row.dueAt !== place.dueAt) return row.dueAt > place.dueAt;
  return nameOf(row.key, row.name) > nameOf(place.key, place.name);
}

function nameOf(key: string, name: string): string {
  return `${key}/${name}`;
}

function describe(effect: TimersEffect): string {
  if (effect.kind === "read") {
    const { after, limit } = effect;
    const from = after === null ? "from the first on" : `behind ${`${after.dueAt} ${nameOf(after.key, after.name)}`}`;
    return `read ${limit} ${from}`;
  }
  const { key, name, generation } = effect.row;
  const timer = `${nameOf(key, name)}#${generation}`;
  switch (effect.kind) {
    case "fire":
      return `fire ${timer}${effect.count === null ? "" : `, when it is durable that this is attempt ${effect.count}`}`;
    case "uncount":
      return `count ${timer}: ${effect.attempts}`;
    case "exhausted":
      return `park ${timer}: ${effect.last?.message ?? "its owner died over the last attempt"}`;
  }
}
