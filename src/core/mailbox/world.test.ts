/**
 * A driver and a store around one mailbox, for its tests: it performs every effect on a log of changes, and
 * says at once when one breaks a rule. What a command saw is a copy of the log when it got the turn, so "all
 * that it could have seen is durable" is the question whether that copy is a prefix of the durable log.
 */
import assert from "node:assert/strict";
import { Mailbox } from "./mailbox.ts";
import type { FailReason, LookupAnswer, MailboxEffect, MailboxInput } from "./messages.ts";

interface Caller {
  readonly token: number;
  readonly input: string | null;
}

export interface Command {
  /** The first caller, who names it, then those who joined. */
  readonly token: number;
  readonly id: string | null;
  readonly input: string | null;
  waiters: number[];
  /** Callers with the same id and another input, while nobody knows which of them the record would prove right. */
  rivals: Caller[];
  attempts: number;
  /** Its change was refused together with others: it runs with nothing undurable around. */
  suspect: boolean;
}

export interface Turn {
  readonly command: Command;
  readonly attempt: number;
  /** The log on which the command ran; its own change is added when it finishes. */
  saw: readonly string[];
  changed: boolean;
  departures: number[];
}

type Fails = ReadonlyMap<number, FailReason>;

export type Answer = "release" | "replay" | FailReason;

export class World {
  readonly mailbox: Mailbox<number>;
  readonly #lengthMax: number;
  active = false;
  durable: readonly string[] = [];
  /** The state in memory: the durable log and what was executed since. */
  memory: readonly string[] = [];
  looking: Command[] = [];
  queue: Command[] = [];
  running: Turn | null = null;
  executed: Turn[] = [];
  /** Turns that were taken away: their handlers may still settle. */
  abandoned: Turn[] = [];
  /** What every caller got; each may get one answer only. */
  readonly answers = new Map<number, Answer>();
  lastToken = 0;
  #lastDeparture = 0;
  #fails = new Map<number, FailReason>();
  #turnsTaken = 0;

  constructor(mailboxLengthMax: number) {
    this.#lengthMax = mailboxLengthMax;
    this.mailbox = new Mailbox({ mailboxLengthMax });
  }

  get commands(): Command[] {
    const turns = this.running === null ? this.executed : [...this.executed, this.running];
    return [...this.looking, ...this.queue, ...turns.map(({ command }) => command)];
  }

  /** Changes that are executed and not durable. */
  get undurable(): number {
    return this.memory.length - this.durable.length;
  }

  arrive(id: string | null, input: string | null, lookup = id !== null): number {
    const token = ++this.lastToken;
    const command = { token, id, input, waiters: [token], rivals: [], attempts: 0, suspect: false };
    const same = id === null ? undefined : this.commands.find((other) => other.id === id);
    const fails = new Map<number, FailReason>();
    let looks: number[] = [];
    if (same !== undefined) {
      if (same.input === input) same.waiters.push(token);
      else if (this.looking.includes(same)) same.rivals.push({ token, input });
      else fails.set(token, "mismatch");
    } else if (this.looking.length + this.queue.length >= this.#lengthMax) {
      fails.set(token, "full");
    } else {
      (lookup ? this.looking : this.queue).push(command);
      if (lookup) looks = [token];
    }
    const effects = this.#step(
      { kind: "arrive", until: "outcome", token, id, inputHash: input, lookup, payload: token },
      fails,
    );
    assert.deepEqual(lookupsOf(effects), looks);
    return token;
  }

  loaded(): void {
    if (this.active) return;
    this.active = true;
    this.#step({ kind: "loaded" });
  }

  looked(command: Command, answer: LookupAnswer): void {
    const callers = [...command.waiters, ...command.rivals.map(({ token }) => token)];
    this.looking = this.looking.filter((other) => other !== command);
    const fails = new Map<number, FailReason>();
    if (answer === "absent") {
      this.queue.push(command);
      for (const { token } of command.rivals.splice(0)) fails.set(token, "mismatch");
    } else if (answer !== "found") {
      for (const token of callers) fails.set(token, answer === "forgotten" ? "forgotten" : "lookup-failed");
    }
    const effects = this.#step({ kind: "looked", token: command.token, answer }, fails);
    const replays = effects.flatMap((effect) => (effect.kind === "replay" ? [[effect.payload, ...effect.tokens]] : []));
    assert.deepEqual(replays, answer === "found" ? [[command.token, ...callers]] : []);
  }

  finish(changed: boolean): void {
    const turn = this.running;
    if (turn === null) return;
    this.running = null;
    turn.changed = changed;
    turn.departures = [];
    if (changed) turn.saw = [...turn.saw, nameOf(turn)];
    this.executed.push(turn);
    const { token } = turn.command;
    const effects = this.#step({ kind: "finished", token, attempt: turn.attempt, changed });
    const commits = effects.filter((effect) => effect.kind === "commit");
    assert.equal(commits.length, changed ? 1 : 0, "every change is committed once");
  }

  /** The driver does not run the command that has the turn. */
  shed(): void {
    const turn = this.running;
    if (turn === null) return;
    this.running = null;
    const { token, waiters } = turn.command;
    const fails = new Map(waiters.map((waiter) => [waiter, "shed"] as const));
    this.#step({ kind: "shed", token, attempt: turn.attempt, reason: "shed" }, fails);
  }

  depart(): void {
    const turn = this.running;
    if (turn === null) return;
    const departure = ++this.#lastDeparture;
    turn.departures.push(departure);
    this.#step({ kind: "depart", token: turn.command.token, attempt: turn.attempt, departure });
  }

  /** Of the undurable changes, the first `count` are written. */
  becomeDurable(count: number): void {
    this.durable = this.memory.slice(0, this.durable.length + count);
    this.#step({ kind: "durable", position: this.durable.length });
  }

  /** Of the undurable changes, the first `count` are refused (`culprit`) or cannot be written. */
  rollBack(count: number, culprit: boolean): void {
    const through = this.durable.length + count;
    const authors = this.executed.filter(({ changed, saw }) => changed && saw.length <= through);
    const failing = culprit && authors.length > 1 ? [] : authors;
    const fails = new Map<number, FailReason>();
    for (const { command } of failing) for (const token of command.waiters) fails.set(token, "rolled-back");
    const again = this.executed.filter(({ command }) => command.waiters.length > 0).filter((t) => !failing.includes(t));
    for (const turn of again) if (authors.includes(turn)) turn.command.suspect = true;
    this.executed = [];
    this.queue = [...again.map(({ command }) => command), ...this.#takeTurn(), ...this.queue];
    const effects = this.#step({ kind: "rolledBack", through, culprit }, fails);
    assert.equal(effects.filter(({ kind }) => kind === "restore").length, 1);
  }

  expire(token: number): void {
    const command = this.commands.find((other) => callersOf(other).includes(token));
    if (command === undefined) return void assert.deepEqual(this.#step({ kind: "expire", token }), []);
    if (command.rivals.some((rival) => rival.token === token)) {
      command.rivals = command.rivals.filter((rival) => rival.token !== token);
      return void this.#step({ kind: "expire", token }, new Map([[token, "expired"]]));
    }
    command.waiters = command.waiters.filter((waiter) => waiter !== token);
    const mayHappen = command.waiters.length > 0 || this.executed.some((turn) => turn.command === command);
    if (!mayHappen) this.#forget(command);
    const effects = this.#step(
      { kind: "expire", token },
      new Map([[token, mayHappen ? "expired-unknown" : "expired"]]),
    );
    const [successor] = mayHappen ? [] : this.looking.filter(({ id }) => id !== null && id === command.id);
    assert.deepEqual(lookupsOf(effects), successor === undefined ? [] : [successor.token]);
  }

  drop(unknownThrough: number): void {
    const fails = new Map<number, FailReason>();
    for (const command of this.commands) for (const token of callersOf(command)) fails.set(token, "dropped");
    for (const { command, changed, saw } of this.executed) {
      if (!changed || saw.length > unknownThrough) continue;
      for (const token of command.waiters) fails.set(token, "dropped-unknown");
    }
    this.#takeTurn();
    this.active = false;
    this.looking = [];
    this.queue = [];
    this.executed = [];
    this.#step({ kind: "drop", unknownThrough }, fails);
  }

  /** What comes too late: a handler that lost its turn settles or calls, a lookup that nobody waits for ends. */
  late(turn: Turn | undefined): void {
    if (turn !== undefined) {
      const { command, attempt } = turn;
      const { token } = command;
      assert.deepEqual(this.#step({ kind: "finished", token, attempt, changed: true }), []);
      assert.deepEqual(this.#step({ kind: "depart", token, attempt, departure: ++this.#lastDeparture }), []);
      assert.deepEqual(this.#step({ kind: "shed", token, attempt, reason: "shed" }), []);
    }
    const closed = this.lastToken + 1_000;
    assert.deepEqual(this.#step({ kind: "looked", token: closed, answer: "found" }), []);
  }

  /** The world calms down: everything that is open ends well. */
  settle(): void {
    this.loaded();
    for (let left = 10_000; this.commands.length > 0; left--) {
      assert.ok(left > 0, "somebody starves");
      for (const command of [...this.looking]) this.looked(command, "absent");
      this.finish(true);
      if (this.undurable > 0) this.becomeDurable(this.undurable);
    }
    assert.ok(this.mailbox.idle);
  }

  /** The running turn is taken away; its command, to be queued again. */
  #takeTurn(): Command[] {
    if (this.running === null) return [];
    const turn = this.running;
    this.running = null;
    turn.departures = [];
    this.abandoned.push(turn);
    this.#turnsTaken += 1;
    return [turn.command];
  }

  /** Nobody waits for this command any more and it was not executed. Its rivals come in as if they were new. */
  #forget(command: Command): void {
    if (this.running?.command === command) this.#takeTurn();
    this.queue = this.queue.filter((other) => other !== command);
    const looking = this.looking.filter((other) => other !== command);
    const [first, ...rest] = command.rivals;
    if (first !== undefined) {
      const same = rest.filter(({ input }) => input === first.input).map(({ token }) => token);
      const rivals = rest.filter(({ input }) => input !== first.input);
      const { id } = command;
      looking.push({ ...first, id, waiters: [first.token, ...same], rivals, attempts: 0, suspect: false });
    }
    this.looking = looking;
  }

  /** The command that gets the turn now, if any does: the first in the queue, and suspects alone. */
  #nextTurn(): Command | null {
    const [first] = this.queue;
    if (!this.active || this.running !== null || first === undefined) return null;
    const undurable = this.executed.filter(({ saw }) => !isPrefix(saw, this.durable));
    const crowded = undurable.length > 0 && (first.suspect || undurable.some(({ command }) => command.suspect));
    return crowded ? null : first;
  }

  /** One step of the mailbox; exactly the callers in `fails` fail by it. */
  #step(input: MailboxInput<number>, fails: Fails = new Map()): readonly MailboxEffect<number>[] {
    const next = this.#nextTurn();
    const turnsTaken = this.#turnsTaken;
    this.#turnsTaken = 0;
    this.#fails = new Map();
    const effects = this.mailbox.step(input);
    for (const effect of effects) this.#perform(effect);
    assert.deepEqual(sorted(this.#fails), sorted(fails), "exactly these callers fail");
    assert.equal(effects.filter(({ kind }) => kind === "abandon").length, turnsTaken);
    const runs = effects.flatMap((effect) => (effect.kind === "run" ? [effect.payload] : []));
    assert.deepEqual(runs, next === null ? [] : [next.token], "the turn is given as soon as it can be, and in order");
    const held = this.executed.filter(({ saw }) => isPrefix(saw, this.durable));
    assert.deepEqual(held, [], "the exit gate opens as soon as it can");
    if (this.running !== null && isPrefix(this.running.saw, this.durable))
      assert.deepEqual(this.running.departures, []);
    assert.equal(this.mailbox.idle, this.commands.length === 0, "idle is exact");
    assert.equal(this.mailbox.queued, this.looking.length + this.queue.length);
    return effects;
  }

  #perform(effect: MailboxEffect<number>): void {
    switch (effect.kind) {
      case "lookup":
        return assert.equal(effect.payload, effect.token);
      case "replay":
        return this.#answer(effect.tokens, "replay");
      case "run":
        return this.#run(effect.token, effect.attempt, effect.payload);
      case "abandon":
        return;
      case "commit": {
        const turn = this.executed.at(-1);
        assert.ok(turn?.changed && effect.payload === turn.command.token);
        this.memory = [...this.memory, nameOf(turn)];
        return assert.equal(effect.position, this.memory.length);
      }
      case "release":
        return this.#release(effect.token, effect.tokens, effect.payload);
      case "departed": {
        const turn = this.running;
        assert.ok(turn !== null, "only a handler that has the turn calls");
        assert.ok(turn.departures.includes(effect.departure), "a call departs once");
        assert.ok(isPrefix(turn.saw, this.durable), "a call leaves when all that its handler saw is durable");
        turn.departures = turn.departures.filter((departure) => departure !== effect.departure);
        return;
      }
      case "restore":
        this.memory = this.durable;
        return;
      case "fail":
        for (const token of effect.tokens) this.#fails.set(token, effect.reason);
        this.#answer(effect.tokens, effect.reason);
    }
  }

  #run(token: number, attempt: number, payload: number): void {
    const command = this.queue.shift();
    assert.equal(this.running, null, "one turn at a time");
    assert.ok(command !== undefined && command.token === token && payload === token, "first come, first served");
    command.attempts += 1;
    assert.equal(attempt, command.attempts);
    if (command.suspect) assert.deepEqual(this.memory, this.durable, "a suspect runs alone");
    this.running = { command, attempt, saw: this.memory, changed: false, departures: [] };
  }

  #release(token: number, tokens: readonly number[], payload: number): void {
    const turn = this.executed.shift();
    assert.ok(turn !== undefined && turn.command.token === token && payload === token);
    assert.ok(isPrefix(turn.saw, this.durable), "an answer leaves when all that it could have seen is durable");
    assert.deepEqual(tokens, turn.command.waiters);
    this.#answer(tokens, "release");
  }

  #answer(tokens: readonly number[], answer: Answer): void {
    for (const token of tokens) {
      assert.ok(!this.answers.has(token), "nobody is answered twice");
      this.answers.set(token, answer);
    }
  }
}

function callersOf({ waiters, rivals }: Command): number[] {
  return [...waiters, ...rivals.map(({ token }) => token)];
}

function nameOf({ command, attempt }: Turn): string {
  return `${command.token}.${attempt}`;
}

function isPrefix(part: readonly string[], whole: readonly string[]): boolean {
  return part.length <= whole.length && part.every((name, index) => whole[index] === name);
}

function lookupsOf(effects: readonly MailboxEffect<number>[]): number[] {
  return effects.flatMap((effect) => (effect.kind === "lookup" ? [effect.token] : []));
}

function sorted(fails: Fails): (readonly [number, FailReason])[] {
  return [...fails].sort(([a], [b]) => a - b);
}
