/**
 * A workload from the interfaces alone: every operation of every service, with inputs made from their schemas. Keys
 * are few, because only those who meet can get in each other's way.
 */
import { SynodError } from "../errors.ts";
import type { JsonSchema } from "../ports/gateway.ts";
import type { AnyOperation, AnyService, AnySystem, Schema } from "../service/model.ts";
import { jsonSchema, validate } from "../service/schema.ts";
import { chance, createPrng, type Prng, pick } from "../values/prng.ts";
import { generateValue } from "../values/schema-values.ts";
import type { Request } from "./operation.ts";

/** Keys of each service. */
const keysLength = 5;
/** Inputs that are tried before an operation is given up. */
const triesMax = 200;
/**
 * How many of its commands a client gives no idempotency key, by its number: with one, the client may repeat them; without,
 * only the nodes among each other do.
 */
const unrepeatableShares = [0.15, 0, 0.85] as const;

interface Choice {
  readonly service: AnyService;
  readonly name: string;
  readonly operation: AnyOperation;
  readonly input: JsonSchema | undefined;
  readonly keys: readonly string[];
}

export interface GeneratedWorkload {
  /** What clients ask for when the user does not say it. */
  readonly workload: (prng: Prng, client: number) => Request;
  /** Operations for which no input, or no key, could be made that their schemas accept; each with the reason. */
  readonly unasked: readonly string[];
}

/** Throws `failed_precondition` when there is nothing that could be asked for. */
export function generatedWorkload(system: AnySystem): GeneratedWorkload {
  const found = system.services.flatMap(choicesOf);
  const choices = found.filter((choice) => typeof choice !== "string");
  const unasked = found.filter((choice) => typeof choice === "string");
  if (choices.length === 0) {
    const sentence = `Nothing of system ${system.name} can be asked for: write a workload.`;
    throw new SynodError("failed_precondition", [sentence, ...unasked].join("\n  "));
  }
  return { workload: requestFrom(choices), unasked };
}

function requestFrom(choices: readonly Choice[]): (prng: Prng, client: number) => Request {
  return (prng, client) => {
    const { service, name, operation, input, keys } = pick(prng, choices);
    return {
      service: service.interface.name,
      key: service.interface.key === undefined ? undefined : pick(prng, keys),
      operation: name,
      input: operation.input === undefined ? undefined : valueFor(prng, operation.input, input).value,
      repeatable: !chance(prng, unrepeatableShares[client % unrepeatableShares.length]!),
    };
  };
}

/** The operations of a service, or why one of them is left out. */
function choicesOf(service: AnyService): (Choice | string)[] {
  const { key, operations } = service.interface;
  const keys = key === undefined ? [] : keysFor(service);
  if (key !== undefined && keys.length === 0) return [refusal(service.interface.name, "key")];
  return Object.entries(operations).map(([name, operation]) => {
    const input = operation.input === undefined ? undefined : jsonSchema(operation.input, "input");
    if (operation.input !== undefined) {
      const { fits, reason } = valueFor(createPrng(1), operation.input, input);
      if (!fits) return refusal(`${service.interface.name}.${name}`, "input", reason);
    }
    return { service, name, operation, input, keys };
  });
}

/** Short names, or whatever fits the schema of the key. */
function keysFor({ interface: { key } }: AnyService): string[] {
  const candidates = Array.from({ length: keysLength }, (_, index) => `${"abcdefgh"[index]}`);
  const fits = (text: unknown): text is string => {
    try {
      return typeof text === "string" && validate(key!, text, "a key") === text;
    } catch {
      return false;
    }
  };
  if (candidates.every(fits)) return candidates;
  const schema = jsonSchema(key!, "input");
  const prng = createPrng(1);
  const made = new Set<string>();
  for (let tries = 0; tries < triesMax && made.size < keysLength; tries++) {
    const value = generateValue(schema ?? {}, prng);
    if (fits(value)) made.add(value);
  }
  return [...made];
}

/** A value that the schema accepts, if one comes up within as many tries as there are. */
function valueFor(prng: Prng, schema: Schema, described: JsonSchema | undefined): Attempt {
  let last: Attempt = { value: undefined, fits: false, reason: "" };
  for (let tries = 0; tries < triesMax; tries++) {
    const value = generateValue(described ?? {}, prng);
    try {
      validate(schema, value, "it");
      return { value, fits: true, reason: "" };
    } catch (error) {
      // The schema says more than JSON Schema can: another try.
      last = { value, fits: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }
  return last;
}

interface Attempt {
  readonly value: unknown;
  readonly fits: boolean;
  readonly reason: string;
}

function refusal(name: string, what: string, reason = ""): string {
  const last = reason === "" ? "" : ` (the last: ${reason})`;
  return `${name}: none of ${triesMax} values made from the schema of its ${what} fits${last}; give the scenario a workload that asks for it`;
}
