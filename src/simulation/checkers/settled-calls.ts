/**
 * Calls that their callers have settled (guarantee G4): below a floor that the store has, nothing is executed any more.
 *
 * A durable command is executed when it is accepted, as far as its caller can tell: whoever sent it as a message settles
 * the number then, and a floor may pass it long before the command is done. So acceptances are judged, and not the
 * outcomes of what was accepted. These go with time where the number is settled, and then it has to be the store that
 * knows so: an owner who knew neither the outcome nor the floor would accept the command again.
 */
import type { MemoryDatabase, ShardRow } from "../../adapters/memory/database.ts";
import { shardRow } from "../../adapters/memory/membership.ts";
import type { CommitBatch, ShardChanges } from "../../ports/store.ts";
import { incarnationOf } from "../../runtime/session-names.ts";
import { sessionCallOf } from "../../values/ids.ts";
import { nameOfEntity } from "../operation.ts";

/** Outcomes of durable commands that gateways asked for: they are kept like those of opaque keys, and no longer (`outcomeOf`). */
const ofGateways = /^outcome\/n\d+$/;

type Call = NonNullable<ReturnType<typeof sessionCallOf>>;
type KnownFloor = Pick<ShardChanges["floors"][number], "floor" | "open">;

/** What is wrong with a commit, if the store takes it. */
export function settledCallsIn(database: MemoryDatabase, { shards }: CommitBatch): string[] {
  return shards.flatMap((changes) => {
    const row = shardRow(database, changes.shard);
    return row === undefined ? [] : wrongIn(database, row, changes);
  });
}

function wrongIn({ members }: MemoryDatabase, { floors }: ShardRow, changes: ShardChanges): string[] {
  const wrong: string[] = [];
  const { shard, entities } = changes;
  const raised = new Map(changes.floors.map((floor) => [floor.session, floor]));
  for (const { key, records, work } of entities) {
    const name = nameOfEntity(shard.service, key);
    const mustBeOpen = ({ session, number }: Call, words: string): void => {
      const known = floors.get(session);
      if (known === undefined || !isSettled(known, number)) return;
      wrong.push(`call ${number} of session ${session} ${words} on ${name} below the floor ${known.floor}`);
    };
    for (const { call } of work?.accepted ?? []) if (call !== null) mustBeOpen(call, "was accepted");
    for (const { id, finishedAt } of records) {
      const call = sessionCallOf(id);
      if (call === undefined || ofGateways.test(call.session)) continue;
      if (finishedAt === null) {
        mustBeOpen(call, "took effect");
        continue;
      }
      const { session, number } = call;
      const known = raised.get(session) ?? floors.get(session);
      const incarnation = incarnationOf(session);
      const hasEnded = incarnation !== null && !members.has(incarnation);
      if (hasEnded || (known !== undefined && isSettled(known, number))) continue;
      wrong.push(
        `the outcome of call ${number} of session ${session} on ${name} goes with time above all stored floors`,
      );
    }
  }
  return wrong;
}

function isSettled({ floor, open }: KnownFloor, number: number): boolean {
  return number < floor && !open.includes(number);
}
