/**
 * Scenarios of a durable command: its attempts, one after the other, and what follows one that did not finish.
 *
 *     attempt                            a new attempt, with the journal as it is durable
 *     issue 1 withdraw [input=5] [remembered=callee|soon|now]   the handler makes its call 1, under that id
 *     written 1                          that write is durable
 *     answered 1 ok                      the outcome of a call is there
 *     turned                             the event loop has turned
 *     ended                              the handler returned
 *     journal                            what is durable of it
 *     after failed attempts=1 [waits=0] [age=0] [random=0.5]   what follows an attempt that ended so: failed, waited, hopeless
 *     start attempts=3                   whether another one may be counted
 */
import { type AttemptEffect, DurableAttempt, type Remembered } from "../../src/core/durable/attempt.ts";
import { afterAttempt, mayStart, type Next, type ScheduleLimits } from "../../src/core/durable/schedule.ts";
import type { JournalEntry } from "../../src/ports/work.ts";
import { type Command, type Interpreter, scenarios } from "./interpreter.ts";

const limits: ScheduleLimits = { attemptsMax: 3, ageMaxMs: 60_000, backoffBaseMs: 100, backoffMaxMs: 1_000 };

scenarios(new URL("./durable/", import.meta.url), durableInterpreter);

function durableInterpreter(): Interpreter {
  let attempt = new DurableAttempt([]);
  return (command) => {
    switch (command.word(0)) {
      case "attempt":
        attempt = new DurableAttempt(attempt.durable);
        return [];
      case "journal":
        return [`durable: ${attempt.durable.map(describeEntry).join(" ") || "nothing"}`];
      case "after":
        return [describeNext(next(command))];
      case "start":
        return [mayStart(command.number("attempts"), limits) ? "it may start" : "it may not start"];
      default:
        return step(attempt, command).map(describe);
    }
  };
}

function step(attempt: DurableAttempt, command: Command): readonly AttemptEffect[] {
  const number = Number(command.words[1]);
  switch (command.word(0)) {
    case "issue": {
      const id = command.word(2);
      const inputHash = command.option("input") ?? "";
      const remembered = (command.option("remembered") ?? "callee") as Remembered;
      return attempt.step({ kind: "issue", call: number, id, name: id, inputHash, remembered });
    }
    case "written":
      return attempt.step({ kind: "written", write: number });
    case "answered":
      return attempt.step({ kind: "answered", call: number, outcome: command.word(2) });
    case "turned":
    case "ended":
      return attempt.step({ kind: command.word(0) as "turned" | "ended" });
    default:
      throw command.error(`there is no command ${command.word(0)}`);
  }
}

function next(command: Command): Next {
  const kind = command.word(1) as "failed" | "waited" | "hopeless";
  const standing = {
    attempts: command.number("attempts"),
    waits: command.number("waits", 0),
    ageMs: command.number("age", 0),
    random: command.number("random", 0.5),
  };
  return afterAttempt({ kind, code: "internal", message: "it broke" }, standing, limits);
}

function describeNext(what: Next): string {
  if (what.kind === "park") return `park after ${what.attempts} attempts: ${what.message}`;
  return `again in ${what.afterMs} ms; attempts that count: ${what.attempts}`;
}

function describeEntry({ id, outcome }: JournalEntry): string {
  return outcome === null ? id : `${id}=${outcome}`;
}

function describe(effect: AttemptEffect): string {
  switch (effect.kind) {
    case "write":
      return `write ${effect.write}: ${effect.entries.map(describeEntry).join(" ")}`;
    case "leave":
      return `call ${effect.call} leaves${effect.first ? "" : " again"}`;
    case "deliver":
      return `the handler hears of ${effect.call}: ${effect.outcome}`;
    case "turn":
      return "wait for a turn of the event loop";
    case "twice":
      return `two calls under one id: ${effect.name}`;
    case "stray":
      return `park: ${effect.reason}`;
    case "finish":
      return "commit what it left";
  }
}
