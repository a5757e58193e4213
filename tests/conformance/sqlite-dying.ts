/** Runs `sqlite-crash-steps.ts` so often that it has died before each of its steps. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./sqlite-database.ts";

type Role = "create" | "migrate" | "commit";

const program = fileURLToPath(new URL("./sqlite-crash-steps.ts", import.meta.url));

/** Runs the program until it kills itself; answers what it said before. */
async function die(path: string, role: Role, step?: number): Promise<string> {
  const rest = step === undefined ? [] : [String(step)];
  const child = spawn(process.execPath, [program, path, role, ...rest], { stdio: ["ignore", "pipe", "inherit"] });
  const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(signal, "SIGKILL");
  return said;
}

/**
 * Lets the program die before each of its steps, several at a time, on files that `prepare` has made; answers how many
 * steps there are.
 */
export async function atEachStep(
  role: Role,
  prepare: (path: string) => Promise<void>,
  check: (path: string, step: number) => Promise<void>,
): Promise<number> {
  await using folder = await temporaryFolder();
  const whole = join(folder.path, "whole.db");
  await prepare(whole);
  const steps = Number(await die(whole, role));
  let next = 1;
  const worker = async (): Promise<void> => {
    for (let step = next++; step <= steps; step = next++) {
      const path = join(folder.path, `${step}.db`);
      await prepare(path);
      await die(path, role, step);
      await check(path, step);
    }
  };
  await Promise.all(cpus().slice(0, 4).map(worker));
  await check(whole, steps + 1);
  return steps;
}
