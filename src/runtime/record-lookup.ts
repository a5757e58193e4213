/** Asks the store whether a command is a repeat, and of what. */
import type { LookupAnswer } from "../core/mailbox/messages.ts";
import { recordIdOf } from "./durable-item.ts";
import type { Pending } from "./entity-inbox.ts";
import type { Environment } from "./environment.ts";
import type { CommandId, Invocation } from "./invocation.ts";
import type { Shard } from "./shard.ts";

interface Place {
  readonly environment: Environment;
  readonly shard: Shard;
}

/** Whether there may be a record of the command, which has just come. */
export function mayBeRecorded(shard: Shard, { call }: CommandId): boolean {
  return call === undefined || shard.highest.arrived(call.session, call.number);
}

/**
 * Whether a command of which there may be a record is to be looked for in the store. Of a session that is not known here
 * yet the store is asked which of its numbers it has, along with the look for this one.
 */
export function isLookedFor(place: Place, { id, existing, unsent }: Invocation): boolean {
  // Of what is known to be here nothing has to be looked up, nor opened; nor of what cannot have been here.
  if (existing !== undefined || unsent === true) return false;
  const session = id?.call?.session;
  if (session !== undefined && place.shard.highest.ask(session)) void askHighest(place, session);
  return true;
}

async function askHighest({ environment, shard }: Place, session: string): Promise<void> {
  const { epoch } = shard;
  let number: number | null = null;
  try {
    const result = await environment.reader.read({ kind: "highest", shard: shard.id, session });
    if (result.kind === "highest") ({ number } = result);
  } catch {
    // The looks for single records say so, and the next one asks again.
  }
  // What was recorded before this epoch is no measure for another one.
  if (shard.owned && shard.epoch === epoch) shard.highest.answered(session, number);
}

/** Leaves what it found in `pending`. `name` is that of the entity. */
export async function findRecord({ environment, shard }: Place, name: string, pending: Pending): Promise<LookupAnswer> {
  const id = pending.invocation!.id!;
  try {
    const read = { kind: "record", shard: shard.id, id: recordIdOf(pending.invocation!) } as const;
    const result = await environment.reader.read(read);
    if (result.kind === "corrupt") {
      environment.log.error(`a recorded reply of ${name} is damaged`, { error: result.error });
      return "damaged";
    }
    if (result.kind === "record" && result.record !== null) {
      pending.record = result.record;
      return "found";
    }
    // What became settled meanwhile has no record any more, and must not be executed.
    return (await shard.forgot(id)) ? "forgotten" : "absent";
  } catch (error) {
    environment.log.warn(`the store did not say whether a command on ${name} is a repeat`, { error });
    return "failed";
  }
}
