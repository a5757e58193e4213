/** `synod up` as a process of its own, for tests: started on free ports, watched, and killed at the end. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { NodeReport, SystemReport } from "../../src/admin/target.ts";

export const root: string = resolve(fileURLToPath(new URL("../..", import.meta.url)));
export const bank: string = join(root, "examples/bank/system.ts");
export const bin: string = join(root, "bin/synod.js");

/** A folder that is removed at the end of its scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "synod-host-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A finished command. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end; killed after `waitMs`. */
export function synod(cwd: string, words: readonly string[], waitMs = 20_000): Promise<Finished> {
  return finished(spawn(process.execPath, [bin, ...words], { cwd, stdio: ["ignore", "pipe", "pipe"] }), waitMs);
}

export async function finished(child: ChildProcess, waitMs = 20_000): Promise<Finished> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk) => (stdout += chunk));
  child.stderr?.on("data", (chunk) => (stderr += chunk));
  const timer = setTimeout(() => child.kill("SIGKILL"), waitMs);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(timer);
  return { code, stdout, stderr };
}

export interface ReadyEvent {
  readonly event: "ready";
  readonly http: string;
  readonly admin: string;
  readonly nodes: readonly { readonly id: string; readonly pid: number; readonly address: string | null }[];
}

/** What a test leaves running is killed after this. */
const lifeDefaultMaxMs = 10 * 60_000;

/** A running `synod up`. */
export class RunningUp implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<Finished>;
  ready: ReadyEvent | undefined;
  stderr = "";

  constructor(
    cwd: string,
    words: readonly string[],
    lifeMaxMs: number = lifeDefaultMaxMs,
    env: Readonly<Record<string, string>> = {},
    /** In a process group of its own, whose number is its pid. */
    detached = false,
  ) {
    const fixed = ["--port", "0", "--admin-port", "0", "--json"];
    this.#child = spawn(process.execPath, [bin, "up", ...fixed, ...words], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached,
    });
    this.#child.stderr!.on("data", (chunk) => (this.stderr += chunk));
    this.ended = finished(this.#child, lifeMaxMs);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The ready event, when the line has been printed. */
  async whenReady(waitMs = 20_000): Promise<ReadyEvent> {
    const line = new Promise<string>((found) => {
      let text = "";
      this.#child.stdout!.on("data", (chunk) => {
        text += chunk;
        if (text.includes("\n")) found(text.slice(0, text.indexOf("\n")));
      });
    });
    const end = this.ended.then(({ code, stderr }) => {
      throw new Error(`synod up ended with ${code} before it was ready: ${stderr}`);
    });
    const late = deadline(waitMs, () => `synod up was not ready after ${waitMs} ms: ${this.stderr}`);
    this.ready = JSON.parse(await Promise.race([line, end, late.promise]).finally(late.cancel)) as ReadyEvent;
    return this.ready;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.ended;
    clearTimeout(kill);
  }
}

/** `synod up` of a system, ready to be called. */
export async function startUp(
  cwd: string,
  words: readonly string[] = [bank],
  lifeMaxMs?: number,
  env?: Readonly<Record<string, string>>,
  waitMs?: number,
): Promise<RunningUp & { ready: ReadyEvent }> {
  const up = new RunningUp(cwd, words, lifeMaxMs, env);
  try {
    await up.whenReady(waitMs);
  } catch (error) {
    await up[Symbol.asyncDispose]();
    throw error;
  }
  return up as RunningUp & { ready: ReadyEvent };
}

/** Resolves as soon as the condition holds; rejects with what it was about after `waitMs`. */
export async function until<Value>(
  about: string,
  condition: () => Value | undefined | false | Promise<Value | undefined | false>,
  waitMs = 10_000,
): Promise<Value> {
  const end = performance.now() + waitMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms in vain: ${about}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** How many processes, on average, want each core of this machine. */
export function crowding(): number {
  return loadavg()[0]! / availableParallelism();
}

const figureAttemptsMax = 3;

/**
 * Holds a figure of the system against a machine that others use too: the best of a few attempts counts.
 * Whatever else an attempt asserts has to hold each time.
 */
export async function assertFigure(about: string, figureMs: number, attempt: () => Promise<number>): Promise<void> {
  const measured: number[] = [];
  while (measured.length < figureAttemptsMax) {
    measured.push(await attempt());
    // The figure is for a machine that is not crowded: where each core has work for several, it takes that much longer.
    if (measured.at(-1)! < figureMs * Math.max(1, crowding())) return;
  }
  throw new Error(`${about} took ${measured.map((ms) => Math.round(ms)).join(", ")} ms, each more than ${figureMs} ms`);
}

/** One HTTP call with a JSON body. */
export async function post(url: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(new URL(path, url), {
    method: "POST",
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>) };
}

/** The nodes that serve now. */
async function readyNodes(cwd: string, system = "bank"): Promise<readonly NodeReport[]> {
  return (await reportOf(cwd, system)).nodes.filter(({ state }) => state === "ready");
}

/** Resolves with the nodes when that many serve. */
export async function untilReady(cwd: string, count: number, system = "bank"): Promise<readonly NodeReport[]> {
  return await until(
    `${count} nodes serve`,
    async () => {
      const nodes = await readyNodes(cwd, system);
      return nodes.length === count && nodes;
    },
    20_000,
  );
}

/** What the system that runs in that folder reports of itself. */
export async function reportOf(cwd: string, system = "bank"): Promise<SystemReport> {
  const file = await readAdminFile(join(cwd, `.synod/${system}.admin.json`));
  if (!file) throw new Error(`${system} does not run there`);
  return await adminClient(file).report();
}

/** One that was started here may have died by itself in the meantime. */
export function kill9(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}

/** Whether a process lives. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function deadline(waitMs: number, about: () => string): { promise: Promise<never>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(about())), waitMs);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}
