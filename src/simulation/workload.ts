/**
 * A workload from the interfaces alone: every operation of every service, with inputs made from their schemas. Keys
 * are few, because only those who meet can get in each other's way.
 */
import { SynodError } from "../errors.ts";
import type { JsonSchema } from "../ports/gateway.ts";
import type { AnyOperation, AnyService, AnySystem } from "../service/model.ts";
import { jsonSchema, validate } from "../service/schema.ts";
import { createPrng, type Prng } from "../values/prng.ts";
import type { Request } from "./operation.ts";
import { generateValue } from "./schema-values.ts";
import { chance, pick } from "./world/world.ts";

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

/** What clients ask for when the user does not say it. */
export function generatedWorkload(system: AnySystem): (prng: Prng, client: number) => Request {
  const choices = system.services.flatMap(choicesOf);
  if (choices.length === 0) {
    throw new SynodError("failed_precondition", `no operation of ${system.name} can be asked for: write a workload`);
  }
  return (prng, client) => {
    const { service, name, operation, input, keys } = pick(prng, choices);
    return {
      service: service.interface.name,
      key: service.interface.key === undefined ? undefined : pick(prng, keys),
      operation: name,
      input: operation.input === undefined ? undefined : valueFor(prng, operation, input),
      repeatable: !chance(prng, unrepeatableShares[client % unrepeatableShares.length]!),
    };
  };
}

function choicesOf(service: AnyService): Choice[] {
  const { key, operations } = service.interface;
  const keys = key === undefined ? [] : keysFor(service);
  if (key !== undefined && keys.length === 0) return [];
  return Object.entries(operations).map(([name, operation]) => {
    const input = operation.input === undefined ? undefined : jsonSchema(operation.input, "input");
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

function valueFor(prng: Prng, { input: schema }: AnyOperation, described: JsonSchema | undefined): unknown {
  for (let tries = 0; tries < triesMax; tries++) {
    const value = generateValue(described ?? {}, prng);
    try {
      validate(schema!, value, "an input");
      return value;
    } catch {
      // The schema says more than JSON Schema can: another try.
    }
  }
  return generateValue(described ?? {}, prng);
}
