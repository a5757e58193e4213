/** What a command prints gets out whole, however slowly it is read, and whoever stops reading is no failure. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { counter, project } from "./project.ts";
import { bin, finished } from "./running-system.ts";

/** More than a pipe and what reads it take at once. */
const longLength = 2_000_000;

/** A description of its HTTP API that is long. */
const described = counter.replace(
  "output: z.number() })",
  `output: z.number(), description: "x".repeat(${longLength}) })`,
);

function openapi(cwd: string, file: string): ChildProcess {
  return spawn(process.execPath, [bin, "openapi", file], { cwd, stdio: ["ignore", "pipe", "pipe"] });
}

/** Reads the rest of a pipe that has been full for a while, or whose writer is gone. */
async function readLate(child: ChildProcess, pipe: "stdout" | "stderr"): Promise<string> {
  const stream = child[pipe]!;
  // Once it begins to be readable, as much of it is taken as the pipe and the stream hold, and no more.
  await once(stream, "readable");
  const ended = once(child, "exit");
  const late = new Promise((resolve) => setTimeout(resolve, 300));
  await Promise.race([ended, late]);
  return await text(stream);
}

test("output that is longer than a pipe comes out whole, though it is read late", async () => {
  using folder = project(described);
  const child = openapi(folder.path, folder.file);
  const closed = once(child, "close");
  const printed = await readLate(child, "stdout");
  const [code] = await closed;
  assert.equal(code, 0);
  assert.ok(printed.length > longLength && printed.endsWith("}\n"), `${printed.length} characters`);
});

test("so does a long failure", async () => {
  using folder = project(`throw new Error("x".repeat(${longLength}));`);
  const child = openapi(folder.path, folder.file);
  const closed = once(child, "close");
  const printed = await readLate(child, "stderr");
  const [code] = await closed;
  assert.equal(code, 1);
  assert.ok(printed.length > longLength, `${printed.length} characters`);
});

test("a command whose output nobody reads to its end is done all the same, and says nothing", async () => {
  using folder = project(described);
  const child = openapi(folder.path, folder.file);
  await once(child.stdout!, "readable");
  child.stdout!.destroy();
  const { code, stderr } = await finished(child);
  assert.deepEqual([code, stderr], [0, ""]);
});
