/** Commands that keep what a system has: its store as a file, back again, and whether it is in order. */
import type { Command } from "commander";
import {
  backup,
  type RestoreCommandOptions,
  restore,
  type StoreCommandOptions,
  type VerifyOptions,
  verify,
} from "../backup.ts";
import { ending, examples, withEnvironment } from "./command.ts";

const whichStore = "where state lives: sqlite:PATH or postgres://… (default: the system's, or sqlite:.synod/NAME.db)";
const whichSystem = "the file that declares the system, or the system's name";

export function addBackup(synod: Command): void {
  withEnvironment(synod, "backup", "write all that a store has to a file, while the system runs or not")
    .argument("<system>", whichSystem)
    .argument("<file>", "a new file; it holds the store's secret and can be read by its owner only")
    .option("--store <url>", whichStore)
    .option("--json", "print the result as JSON", false)
    .addHelpText(
      "after",
      examples(
        "synod backup system.ts bank.backup",
        "synod backup bank bank-$(date +%F).backup --store sqlite:/var/lib/bank.db",
        "SYNOD_STORE=postgres://bank@db/bank synod backup bank bank.backup --json | jq .sha256",
      ),
    )
    .addHelpText(
      "after",
      "\nA damaged store is backed up as far as it can be read, with what is wrong and exit code 1.",
    )
    .action(ending((system: string, file: string, options: StoreCommandOptions) => backup(system, file, options)));
}

export function addRestore(synod: Command): void {
  withEnvironment(synod, "restore", "make a store of a backup, of the same kind of store or of another one")
    .argument("<system>", whichSystem)
    .argument("<file>", "what `synod backup` has written")
    .option("--store <url>", whichStore)
    .option("--overwrite", "replace what is in the store", false)
    .option("--damaged", "restore a backup of a damaged store as it is", false)
    .option("--json", "print the result as JSON", false)
    .addHelpText(
      "after",
      examples(
        "synod restore system.ts bank.backup --store sqlite:restored.db",
        "synod restore bank bank.backup --store postgres://bank@db/bank     # from SQLite to PostgreSQL",
        "synod restore system.ts bank.backup --overwrite",
      ),
    )
    .addHelpText(
      "after",
      "\nThe system must not run. What was acknowledged after the backup is gone, and its idempotency keys with it.",
    )
    .action(ending((system: string, file: string, options: RestoreCommandOptions) => restore(system, file, options)));
}

export function addVerify(synod: Command): void {
  withEnvironment(
    synod,
    "verify",
    "look whether a store, or a backup, is in order: every checksum, and what belongs together",
  )
    .argument("[system]", whichSystem)
    .option("--store <url>", whichStore)
    .option("--backup <file>", "look at a backup instead")
    .option("--json", "print the report as JSON", false)
    .addHelpText(
      "after",
      examples("synod verify system.ts", "synod verify --backup bank.backup", "synod verify bank --json | jq .faults"),
    )
    .action(ending((system: string | undefined, options: VerifyOptions) => verify(system, options)));
}
