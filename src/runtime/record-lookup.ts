/** Asks the store whether a command is a repeat, and of what. */
import type { LookupAnswer } from "../core/mailbox/messages.ts";
import { recordIdOf } from "./durable-item.ts";
import type { Pending } from "./entity-inbox.ts";
import type { Environment } from "./environment.ts";
import type { Shard } from "./shard.ts";

/** Leaves what it found in `pending`. `name` is that of the entity. */
export async function findRecord(
  { environment, shard }: { readonly environment: Environment; readonly shard: Shard },
  name: string,
  pending: Pending,
): Promise<LookupAnswer> {
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
