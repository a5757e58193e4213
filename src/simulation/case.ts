/**
 * A case: one run written out, so that it can be made smaller, kept, and run again without the draws of its seed. A
 * seed is such a case, too, with everything drawn.
 *
 * As text a case is JSON in a file, or one word for a line of a shell: `~` and the deflated JSON in base64url.
 */
import { Buffer } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { SynodError } from "../errors.ts";
import { decodeJson } from "../values/json.ts";
import type { PlannedOperation } from "./asking.ts";
import { type Fault, faultKinds } from "./faults.ts";
import type { RunOptions, RunResult } from "./simulate.ts";

export interface Case {
  readonly seed: number;
  /** See {@link RunOptions}, as for the others. */
  readonly timing: number;
  readonly fairWeather: boolean;
  readonly durationMs: number;
  readonly plan: readonly Fault[];
  readonly operations: readonly PlannedOperation[];
}

/** What {@link simulate} runs for a case, but for the scenario. */
export type CaseOptions = Omit<RunOptions, "scenario">;

/** A case as text grows to this at most, bytes. */
const caseBytesMax = 64 * 1024 * 1024;

/** A run written out: what it was asked for with, and what was drawn. */
export function caseOf(result: RunResult, what: CaseOptions, durationDefaultMs: number): Case {
  const { seed, plan, asked } = result;
  const { timing = 0, fairWeather = false, durationMs = durationDefaultMs } = what;
  return { seed, timing, fairWeather, durationMs, plan, operations: what.operations ?? asked };
}

/** One word: it can be copied from a log into a shell. */
export function encodeCase(one: Case): string {
  return `~${deflateRawSync(JSON.stringify(one), { level: 9 }).toString("base64url")}`;
}

/** Reads a case from the text of its file, or from the word that stands for it. Throws a sentence. */
export function decodeCase(text: string, name: string): Case {
  const trimmed = text.trim();
  const json = trimmed.startsWith("~") ? inflated(trimmed.slice(1), name) : trimmed;
  const value = decodeJson(json, name) as Partial<Case> | null;
  const fault = faultOf(value);
  if (fault !== undefined) {
    throw new SynodError("invalid_argument", `${name} is not a case of \`synod sim\`: ${fault}`);
  }
  return value as Case;
}

function inflated(word: string, name: string): string {
  try {
    const bytes = inflateRawSync(Buffer.from(word, "base64url"), { maxOutputLength: caseBytesMax });
    return bytes.toString("utf8");
  } catch (error) {
    throw new SynodError("invalid_argument", `${name} is damaged: copy the whole word, from ~ to its end`, {
      cause: error,
    });
  }
}

function faultOf(value: Partial<Case> | null): string | undefined {
  if (typeof value !== "object" || value === null) return "it is no object";
  for (const name of ["seed", "timing", "durationMs"] as const) {
    if (!Number.isFinite(value[name])) return `${name} is no number`;
  }
  if (typeof value.fairWeather !== "boolean") return "fairWeather is neither true nor false";
  if (!Array.isArray(value.plan)) return "plan is no list";
  for (const fault of value.plan as readonly Partial<Fault>[]) {
    if (!faultKinds.includes(fault.kind!)) return `there is no fault ${JSON.stringify(fault.kind)}`;
    if (!Number.isFinite(fault.at) || !Number.isFinite(fault.lastsMs) || !Array.isArray(fault.nodes)) {
      return `the fault ${fault.kind} lacks at, lastsMs or nodes`;
    }
  }
  if (!Array.isArray(value.operations)) return "operations is no list";
  for (const { client, turn, at, request } of value.operations as readonly Partial<PlannedOperation>[]) {
    const whole = Number.isInteger(client) && client! >= 0 && Number.isInteger(turn) && Number.isFinite(at);
    if (!whole || typeof request?.operation !== "string") return "an operation lacks client, turn, at or request";
  }
  return undefined;
}
