/**
 * A repeated attempt of a durable command sees what the attempts before it saw, as far as anything has left the handler
 * that could tell of it (guarantee G4). Between the last outcome that was heard and the next call that leaves,
 * nothing is promised: what a query said then may be another thing next time.
 */
import { type HandlerRun, type MadeCall, nameOfEntity, shortened } from "../operation.ts";
import type { Report } from "./promised-work.ts";
import type { ExpectedItem } from "./shard-work.ts";

interface Heard {
  readonly outcome: string;
  readonly attempt: string;
}

interface Command {
  /** The attempt that was begun last. */
  attempt: HandlerRun;
  /** Outcomes that something has left after; by call. */
  readonly told: Map<string, Heard>;
}

export class RecordedOutcomes {
  readonly #report: Report;
  /** By the id of the durable command. */
  readonly #commands = new Map<string, Command>();

  constructor(report: Report) {
    this.#report = report;
  }

  began(attempt: HandlerRun): void {
    const known = this.#commands.get(attempt.id);
    if (known === undefined) this.#commands.set(attempt.id, { attempt, told: new Map() });
    else known.attempt = attempt;
  }

  learned(attempt: HandlerRun, call: MadeCall): void {
    const command = this.#commands.get(attempt.id);
    const told = command?.told.get(placeOf(call));
    if (told === undefined || told.outcome === call.outcome || command?.attempt !== attempt) return;
    this.#report(
      "recorded outcomes",
      `${attempt.operation} on ${nameOfEntity(attempt.service, attempt.key)} heard ${shortened(call.outcome ?? "")} from call ${call.count} to ${call.name} on ${attempt.process.name}, and ${shortened(told.outcome)} in ${told.attempt}, after which it had made another call`,
    );
  }

  /** A call of this command has come to whom it is made; `id` is its id in the journal. */
  left({ item, journal }: ExpectedItem, id: string): void {
    const command = this.#commands.get(item.id);
    // Of an attempt that is over it is not known what it had heard when the call left.
    if (command === undefined || !command.attempt.holdsContext()) return;
    const { attempt } = command;
    const call = callOf(journal, id, attempt.calls);
    if (call === undefined || call.outcome !== null) return;
    const words = `an attempt on ${attempt.process.name}`;
    const heard = attempt.calls.filter(({ outcome }) => outcome !== null).slice(0, call.heardBefore);
    for (const { name, count, outcome } of heard) {
      command.told.set(placeOf({ name, count }), { outcome: outcome!, attempt: words });
    }
  }
}

/** The call of this attempt that has that id: the how many-eth of its name is the same in the journal. */
function callOf(journal: ExpectedItem["journal"], id: string, calls: readonly MadeCall[]): MadeCall | undefined {
  const name = journal.get(id)?.name;
  if (name === undefined) return undefined;
  const ids = [...journal.values()].filter((entry) => entry.name === name).map((entry) => entry.id);
  return calls.find((call) => call.name === name && call.count === ids.indexOf(id) + 1);
}

function placeOf({ name, count }: Pick<MadeCall, "name" | "count">): string {
  return `${name} ${count}`;
}
