/** What all commands have in common: their flags, their examples, and how they end. */
import { type Command, Option } from "commander";
import { exitCodes } from "../exit.ts";

let verbose = false;
let exitCode: number = exitCodes.done;

/** How the command that ran has ended, and whether it was asked to be verbose. */
export function ended(): { readonly verbose: boolean; readonly exitCode: number } {
  return { verbose, exitCode };
}

/** Remembers whether a command was asked to be verbose, and the exit code that it resolved with, if any. */
export function ending(action: (...words: never[]) => Promise<unknown>): (...words: unknown[]) => Promise<void> {
  return async (...words) => {
    verbose = (words.at(-1) as Command).opts<{ verbose: boolean }>().verbose;
    const code = await action(...(words as never[]));
    if (typeof code === "number") exitCode = code;
  };
}

export function command(synod: Command, name: string, description: string): Command {
  return synod
    .command(name)
    .description(description)
    .option("--verbose", "show where errors come from, and log more", false);
}

/**
 * A command whose options that take a value are taken from the environment when no flag says them: `--drain-seconds` from
 * SYNOD_DRAIN_SECONDS. A password in a store URL is out of sight there, where arguments are for everybody on the machine to read.
 */
export function withEnvironment(synod: Command, name: string, description: string): Command {
  const made = command(synod, name, description);
  made.createOption = (flags, about) => {
    const option = new Option(flags, about);
    const variable = `SYNOD_${option.name().replaceAll("-", "_").toUpperCase()}`;
    // Set to nothing, as files of variables do, it says nothing.
    if (process.env[variable] === "") delete process.env[variable];
    return option.required ? option.env(variable) : option;
  };
  return made;
}

export function talking(synod: Command, name: string, description: string): Command {
  return command(synod, name, description)
    .option("--system <name>", "which of several running systems")
    .option("--store <url>", "the store beside which the system's admin file lies")
    .addOption(
      new Option("--admin <url>", "where its admin API is, if no file here says so; its token: SYNOD_ADMIN_TOKEN").env(
        "SYNOD_ADMIN",
      ),
    )
    .option("--json", "print JSON", false);
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
