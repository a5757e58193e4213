/**
 * Scenarios as text: what somebody does to a core, a line, and the transcript of what comes of it.
 *
 *     # Everything after a hash at the beginning of a line is for readers.
 *     a call c1 bytes=10 deadline=500
 *     a > b
 *     ----
 *     a: send call 1 (c1)
 *     b: deliver 1
 *
 * A block is one or more commands, a line of four dashes, and the transcript up to the next empty line. The
 * words of a command are its name, its arguments, and options with an equals sign; quotes keep words
 * together. Every file is a test of its own with a fresh core. `UPDATE_SCENARIOS=1` writes what really came
 * out into the files instead of comparing; then read the diff.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** One line of a scenario. */
export class Command {
  readonly words: readonly string[];
  readonly #options: ReadonlyMap<string, string>;
  readonly #where: string;
  readonly #used: Set<string> = new Set();

  constructor(line: string, where: string) {
    const parts = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
    const isOption = (part: string) => /^[A-Za-z]+=/.test(part);
    const plain = (part: string) => part.replaceAll('"', "");
    this.words = parts.filter((part) => !isOption(part)).map(plain);
    this.#options = new Map(
      parts
        .filter(isOption)
        .map((part) => [part.slice(0, part.indexOf("=")), plain(part.slice(part.indexOf("=") + 1))]),
    );
    this.#where = where;
  }

  /** The word at this place; a scenario without it is broken. */
  word(index: number): string {
    const word = this.words[index];
    if (word === undefined) throw this.error(`word ${index + 1} is missing`);
    return word;
  }

  option(name: string): string | undefined {
    this.#used.add(name);
    return this.#options.get(name);
  }

  number(name: string, otherwise?: number): number {
    const text = this.option(name);
    const value = text === undefined ? otherwise : Number(text);
    if (value === undefined || Number.isNaN(value)) throw this.error(`${name} is not a number`);
    return value;
  }

  /** Options whose names the receiver knows, as numbers. */
  numbers<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
    const given: Partial<Record<Name, number>> = {};
    for (const name of names) if (this.option(name) !== undefined) given[name] = this.number(name);
    return given;
  }

  error(message: string): Error {
    return new Error(`${this.#where}: ${message}`);
  }

  /** A misspelt option would otherwise be a scenario that tests less than it says. */
  assertAllUsed(): void {
    const unused = [...this.#options.keys()].filter((name) => !this.#used.has(name));
    if (unused.length > 0) throw this.error(`nobody asked for ${unused.join(", ")}`);
  }
}

/** Performs one command; returns what is to be seen of it, as lines. */
export type Interpreter = (command: Command) => readonly string[];

interface Block {
  /** Comments and empty lines before it. */
  readonly before: readonly string[];
  readonly commands: readonly { readonly line: string; readonly number: number }[];
  readonly expected: readonly string[];
}

const divider = "----";

/** Makes a test of every `.txt` file in the folder. `start` is called once per file. */
export function scenarios(folder: URL, start: () => Interpreter): void {
  const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  assert.ok(files.length > 0, `no scenario in ${fileURLToPath(folder)}`);
  for (const name of files.sort()) {
    test(`scenario ${name.slice(0, -".txt".length)}`, () => play(new URL(name, folder), name, start()));
  }
}

function play(file: URL, name: string, interpret: Interpreter): void {
  const blocks = parse(readFileSync(file, "utf8"), name);
  const played = blocks.map((block) => ({ ...block, expected: perform(block, name, interpret) }));
  if (process.env.UPDATE_SCENARIOS === "1") writeFileSync(file, format(played));
  else assert.equal(format(played), format(blocks), `${name} (UPDATE_SCENARIOS=1 rewrites it)`);
}

function perform(block: Block, name: string, interpret: Interpreter): string[] {
  const lines = block.commands.flatMap(({ line, number }) => {
    const command = new Command(line, `${name}:${number}`);
    const seen = interpret(command);
    command.assertAllUsed();
    return seen;
  });
  assert.ok(
    lines.every((line) => line !== "" && !line.includes("\n")),
    `${name}: a transcript has no empty lines`,
  );
  return lines.length === 0 ? ["ok"] : lines;
}

function parse(text: string, name: string): Block[] {
  const blocks: Block[] = [];
  let before: string[] = [];
  let commands: { line: string; number: number }[] = [];
  let expected: string[] | undefined;
  const finish = (): void => {
    if (expected !== undefined) blocks.push({ before, commands, expected });
    else if (commands.length > 0)
      throw new Error(`${name}:${commands[0]!.number}: commands without ${divider} after them`);
    else return;
    [before, commands, expected] = [[], [], undefined];
  };
  for (const [index, line] of text.split("\n").entries()) {
    if (expected !== undefined && line !== "") expected.push(line);
    else if (line === divider) expected = [];
    else if (line === "") finish();
    else if (line.startsWith("#")) before.push(line);
    else commands.push({ line, number: index + 1 });
  }
  finish();
  if (blocks.length === 0 || before.length > 0) throw new Error(`${name}: the last block is missing`);
  return blocks;
}

function format(blocks: readonly Block[]): string {
  return blocks
    .map(({ before, commands, expected }) =>
      [...before, ...commands.map(({ line }) => line), divider, ...expected].join("\n"),
    )
    .join("\n\n")
    .concat("\n");
}
