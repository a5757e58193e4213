/**
 * The ledger that stands beside the services of a system whose drills are allowed: what a drill asks to have written there is
 * its own, so that every effect can be read back and counted. Each page is an entity; a drill writes to pages that nobody
 * else has, and removes them at the end.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { checked } from "../service/checked.ts";
import { type Command, command, defineInterface, type Interface, type Query, query } from "../service/interface.ts";

export const ledgerService = "synod-drill";

/** Entries of one page: reading and writing a page stays cheap. */
export const pageLengthMax = 100;

const pageName = checked<string>(
  "a short text",
  (value) => typeof value === "string" && value.length > 0 && value.length <= 64,
);
const entry: StandardSchemaV1<number, number> = checked<number>("a whole number", (value) =>
  Number.isSafeInteger(value),
);
const entries: StandardSchemaV1<readonly number[], readonly number[]> = checked<readonly number[]>(
  "a list of numbers",
  (value) => Array.isArray(value) && value.every((one) => Number.isSafeInteger(one)),
);

export const Ledger: Interface<
  typeof ledgerService,
  string,
  {
    append: Command<number, number, { pageFull: number }>;
    read: Query<void, readonly number[], Record<never, never>>;
    forget: Command<void, void, Record<never, never>>;
  }
> = defineInterface(ledgerService, {
  key: pageName,
  operations: {
    append: command({
      input: entry,
      output: entry,
      errors: { pageFull: entry },
      description: "One more entry at the end of the page; drills do it.",
    }),
    read: query({ output: entries, description: "The entries of the page, in their order." }),
    forget: command({ description: "Removes the page." }),
  },
});
