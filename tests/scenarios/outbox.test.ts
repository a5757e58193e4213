/**
 * Scenarios of the outbox of one shard, and of the session that its messages have their numbers from. A pair is written
 * `alice>bob`: sender and receiver. Every wait is half of what it may be at the most (chance 0.5).
 *
 *     owner 100 [deliveries=4] [attempts=3]   a node becomes the owner; its own numbers begin at 100
 *     found 7 alice>bob [attempts=1] [parked=yes] [last=yes]   a row of an earlier owner, in ascending order
 *     found nothing                           there are no more of them
 *     at 500                                  sets the time, ms
 *     sent 100 alice>bob                      a message is durable
 *     delivered 100                           how an attempt ended: the receiver's reply is there,
 *     waits 100 [after=300]                   it cannot take it now (and asks for so many ms),
 *     failed 100 "it broke"                   or it failed on it
 *     counted 100, parked 100, settled 100    that is durable now
 *     retry 7 alice>bob, drop 7               an operator
 *     floor bob                               what that receiver may forget
 *     show                                    what is waiting, and until when
 */
import { type DeliveryAnswer, type Letter, Outbox, type OutboxEffect } from "../../src/core/outbox/outbox.ts";
import { ShardSession } from "../../src/core/sessions/shard-session.ts";
import { type Command, type Interpreter, scenarios } from "./interpreter.ts";

const chance = 0.5;

interface Owner {
  readonly outbox: Outbox;
  readonly session: ShardSession;
}

scenarios(new URL("./outbox/", import.meta.url), outboxInterpreter);

function outboxInterpreter(): Interpreter {
  let owner: Owner | null = null;
  let now = 0;
  return (command) => {
    if (command.word(0) === "owner") {
      owner = becomeOwner(command);
      return [];
    }
    if (owner === null) throw command.error("nobody owns the shard yet");
    if (command.word(0) === "at") now = Number(command.word(1));
    return perform(owner, command, now);
  };
}

function becomeOwner(command: Command): Owner {
  const ownFrom = Number(command.word(1));
  const session = new ShardSession({ next: ownFrom, openLengthMax: 4 });
  // It has no durable commands.
  session.foundThrough("inbox", Number.POSITIVE_INFINITY);
  const deliveriesMax = command.number("deliveries", 4);
  const attemptsMax = command.number("attempts", 3);
  return {
    outbox: new Outbox({ ownFrom, deliveriesMax, attemptsMax, backoffBaseMs: 100, backoffMaxMs: 1_000 }),
    session,
  };
}

function perform({ outbox, session }: Owner, command: Command, now: number): string[] {
  const number = Number(command.words[1]);
  const inWords = (effects: readonly OutboxEffect[]): string[] => effects.map(describe);
  const answered = (answer: DeliveryAnswer): string[] =>
    inWords(outbox.step({ kind: "answered", number, now, answer, chance }));
  switch (command.word(0)) {
    case "at":
      return inWords(outbox.step({ kind: "time", now }));
    case "found":
      return inWords(found({ outbox, session }, command));
    case "sent": {
      const letter = letterOf(command);
      if (session.take(receiverOf(letter)) !== number) throw command.error(`the session gives out ${session.next - 1}`);
      session.durable(number);
      return inWords(outbox.step({ kind: "sent", letter }));
    }
    case "delivered":
      return answered({ kind: "delivered" });
    case "waits":
      return answered({ kind: "waits", retryAfterMs: command.number("after", 0) });
    case "failed":
      return answered({ kind: "failed", reason: { code: "internal", message: command.word(2) } });
    case "counted":
    case "parked":
    case "drop":
      return inWords(outbox.step({ kind: command.word(0) as "counted" | "parked" | "drop", number }));
    case "settled":
      session.settle(number);
      return inWords(outbox.step({ kind: "settled", number }));
    case "retry":
      return inWords(outbox.step({ kind: "retry", letter: letterOf(command) }));
    case "floor":
      return [describeFloor(session, command.word(1))];
    case "show":
      return [`${outbox.pending} to be delivered, ${outbox.length} rows, looks again at ${outbox.nextAt ?? "no time"}`];
    default:
      throw command.error(`there is no command ${command.word(0)}`);
  }
}

function found({ outbox, session }: Owner, command: Command): readonly OutboxEffect[] {
  const none = command.word(1) === "nothing";
  const last = none || command.option("last") === "yes";
  if (none) return seen([], []);
  const letter = letterOf(command);
  session.found(letter.number, receiverOf(letter));
  session.foundThrough("outbox", letter.number);
  return command.option("parked") === "yes" ? seen([], [letter.number]) : seen([letter], []);

  function seen(letters: readonly Letter[], parked: readonly number[]): readonly OutboxEffect[] {
    if (last) session.foundThrough("outbox", Number.POSITIVE_INFINITY);
    return outbox.step({ kind: "found", letters, parked, last });
  }
}

function letterOf(command: Command): Letter {
  return { number: Number(command.word(1)), pair: command.word(2), attempts: command.number("attempts", 0) };
}

function receiverOf({ pair }: Letter): string {
  return pair.slice(pair.indexOf(">") + 1);
}

function describeFloor(session: ShardSession, receiver: string): string {
  const { floor, open } = session.floor(receiver);
  return `${receiver} may forget all below ${floor}${open.length > 0 ? ` but ${open.join(" ")}` : ""}`;
}

function describe(effect: OutboxEffect): string {
  const { number } = effect;
  switch (effect.kind) {
    case "deliver":
      return `deliver ${number}${effect.attempt > 1 ? `, attempt ${effect.attempt}` : ""}`;
    case "count":
      return `count ${number}: ${effect.attempts}${effect.waits ? ", and wait until that is durable" : ""}`;
    case "park":
      return `park ${number} after ${effect.attempts} attempts: ${effect.reason.message}`;
    case "settle":
      return `settle ${number}`;
  }
}
