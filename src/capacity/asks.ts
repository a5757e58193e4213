/**
 * What can be asked of a running system, and how it is drawn. A scenario may say it; otherwise it is made from the system's
 * own description of its HTTP API (OpenAPI, which is made from the interfaces): every operation, inputs from their schemas,
 * keys spread over many entities. A schema says less than its author knows, so each operation is tried first, and what the
 * system refuses as invalid is not asked for.
 */
import { SynodError } from "../errors.ts";
import { createPrng, type Prng, pick } from "../values/prng.ts";
import { generateValue, type JsonSchema } from "../values/schema-values.ts";

/** One thing to be asked for, as the workload of a scenario gives it. */
export interface WorkRequest {
  readonly service: string;
  /** Absent for a stateless service. */
  readonly key?: string | undefined;
  readonly operation: string;
  readonly input?: unknown;
}

/** Gives what is asked for next; `client` numbers who asks. All chance comes from the argument. */
export type Work = (prng: Prng, client: number) => WorkRequest;

export interface AsksOptions {
  readonly url: URL;
  /** Headers of every request, such as authorization. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long a caller waits, ms. */
  readonly timeoutMs: number;
  /** Entities of each keyed service that are asked. */
  readonly keys: number;
  /** Instead of generated requests. */
  readonly work?: Work;
}

/** Inputs of an operation that are tried, and how many good ones are enough. */
const triesMax = 60;
const inputsEnough = 20;
const questionMaxMs = 10_000;
/** What the names of services begin with that Synod adds to a system: nobody's workload. */
const ownServices = "synod-";

/** An operation as the system describes it. */
export interface DescribedOperation {
  readonly service: string;
  readonly name: string;
  readonly command: boolean;
  readonly durable: boolean;
  /** Names of its declared errors. */
  readonly errors: readonly string[];
  /** Schema of the key; undefined for a stateless service. */
  readonly key: JsonSchema | undefined;
  readonly input: JsonSchema | undefined;
}

export interface Asked {
  readonly operation: DescribedOperation;
  readonly request: WorkRequest;
}

export interface Asks {
  /** Draws what is asked for next; `client` numbers who asks. */
  readonly draw: (prng: Prng, client: number) => Asked;
  /** All that the system has, asked for or not. */
  readonly operations: readonly DescribedOperation[];
  /** What is asked for, in words: `account.deposit`. Undefined when only drawing tells. */
  readonly names: readonly string[] | undefined;
  /** What is not, each with the reason. */
  readonly unasked: readonly string[];
}

/** Throws `failed_precondition` when there is nothing that could be asked for. */
export async function findAsks(options: AsksOptions): Promise<Asks> {
  const document = await describe(options);
  const operations = operationsOf(document);
  const { work } = options;
  if (work !== undefined) {
    const known = new Map(operations.map((operation) => [nameOf(operation), operation]));
    return { draw: (prng, client) => checked(work(prng, client), known), operations, names: undefined, unasked: [] };
  }
  const sounded = await Promise.all(operations.map((operation) => sound(operation, document, options)));
  const usable = sounded.filter(({ refusal }) => refusal === undefined);
  const unasked = sounded.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal]));
  if (usable.length === 0) {
    const sentence = `Nothing of the system at ${options.url.origin} can be asked for: write a scenario with a workload.`;
    throw new SynodError("failed_precondition", [sentence, ...unasked].join("\n  "));
  }
  const names = usable.map(({ operation }) => nameOf(operation)).sort();
  return { draw: (prng) => drawnFrom(usable, prng), operations, names, unasked };
}

function drawnFrom(usable: readonly Sounded[], prng: Prng): Asked {
  const { operation, inputs, keys } = pick(prng, usable);
  const key = operation.key === undefined ? undefined : pick(prng, keys);
  return {
    operation,
    request: { service: operation.service, operation: operation.name, key, input: pick(prng, inputs) },
  };
}

async function describe({ url, headers }: AsksOptions): Promise<JsonSchema> {
  const address = new URL("/openapi.json", url);
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(questionMaxMs) });
    const document = (await response.json()) as JsonSchema;
    if (response.ok && typeof document.paths === "object") return document;
    throw new Error(`it answered ${response.status}`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const sentence = `${address} gives no description of a system's API (${why}): give the URL of a system's HTTP adapter.`;
    throw new SynodError("failed_precondition", sentence, { cause });
  }
}

interface PathItem {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[];
  readonly get?: unknown;
  readonly post?: {
    readonly operationId: string;
    readonly requestBody?: { readonly content: Content };
    readonly responses: Readonly<Record<string, { readonly content?: Content } | undefined>>;
  };
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema } | undefined>>;

function operationsOf({ paths }: JsonSchema): DescribedOperation[] {
  return Object.values(paths as Record<string, PathItem>).flatMap(({ parameters, get, post }) => {
    if (post === undefined || post.operationId.startsWith(ownServices)) return [];
    const dot = post.operationId.indexOf(".");
    return {
      service: post.operationId.slice(0, dot),
      name: post.operationId.slice(dot + 1),
      command: get === undefined,
      durable: post.responses["202"] !== undefined,
      errors: declaredBy(post.responses["422"]?.content),
      key: parameters?.find((parameter) => parameter.in === "path")?.schema,
      input: post.requestBody?.content["application/json"]?.schema,
    };
  });
}

/** The names of the errors, by which the schema tells its variants apart. */
function declaredBy(content: Content | undefined): string[] {
  const schema = content?.["application/problem+json"]?.schema;
  const discriminator = schema?.discriminator as { readonly mapping?: Readonly<Record<string, string>> } | undefined;
  return Object.keys(discriminator?.mapping ?? {});
}

interface Sounded {
  readonly operation: DescribedOperation;
  readonly inputs: readonly unknown[];
  readonly keys: readonly string[];
  readonly refusal: string | undefined;
}

/** Tries the operation, until enough inputs were accepted. */
async function sound(operation: DescribedOperation, document: JsonSchema, options: AsksOptions): Promise<Sounded> {
  const prng = createPrng(2);
  const keys = operation.key === undefined ? [] : keysOf(operation.key, document, options.keys, prng);
  const inputs: unknown[] = [];
  let last = "nothing answers";
  for (let tries = 0; tries < triesMax && inputs.length < (operation.input === undefined ? 1 : inputsEnough); tries++) {
    const input = operation.input === undefined ? undefined : generateValue(operation.input, prng, document);
    const key = operation.key === undefined ? undefined : pick(prng, keys);
    const refusal = await ask({ service: operation.service, operation: operation.name, key, input }, options);
    if (refusal === undefined) inputs.push(input);
    else last = refusal;
  }
  const refusal =
    inputs.length > 0 ? undefined : `${nameOf(operation)}: ${triesMax} tries were refused (the last: ${last})`;
  return { operation, inputs, keys, refusal };
}

/** `key-0017` and the like, or whatever the schema wants. */
function keysOf(schema: JsonSchema, document: JsonSchema, length: number, prng: Prng): string[] {
  const ordinary = Array.from({ length }, (_, at) => `key-${String(at).padStart(4, "0")}`);
  const resolved = typeof schema.$ref === "string" ? resolve(schema.$ref, document) : schema;
  const { maxLength, pattern, format } = resolved;
  const restricted = [pattern, format, resolved.enum, resolved.anyOf, resolved.allOf, resolved.const];
  const fits = restricted.every((word) => word === undefined) && !((maxLength as number) < ordinary[0]!.length);
  if (fits) return ordinary;
  const made = new Set(ordinary.map(() => String(generateValue(schema, prng, document))));
  return [...made];
}

function resolve(reference: string, document: JsonSchema): JsonSchema {
  const parts = reference.slice(2).split("/");
  return parts.reduce<JsonSchema>((found, part) => (found[part] as JsonSchema | undefined) ?? {}, document);
}

/** Why the system does not take it; undefined when it does, whatever it answers. */
async function ask(request: WorkRequest, { url, headers, timeoutMs }: AsksOptions): Promise<string | undefined> {
  const { body, path } = written(request);
  const response = await fetch(new URL(path, url), {
    method: "POST",
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    body: body ?? null,
    signal: AbortSignal.timeout(Math.max(timeoutMs, questionMaxMs)),
  }).catch((error: unknown) => String(error));
  if (typeof response === "string") return response;
  const text = await response.text();
  if (response.ok || response.status === 422) return undefined;
  return `${response.status} ${text}`.slice(0, 300);
}

function checked(request: WorkRequest, known: ReadonlyMap<string, DescribedOperation>): Asked {
  const operation = known.get(`${request.service}.${request.operation}`);
  if (operation !== undefined && (operation.key !== undefined) === (request.key !== undefined))
    return { operation, request };
  const sentence = `the scenario asks for ${request.service}.${request.operation}${request.key === undefined ? " without a key" : ""}, and the system has ${[...known.keys()].join(", ")}`;
  throw new SynodError("invalid_argument", sentence);
}

export function written({ service, key, operation, input }: WorkRequest): { path: string; body: string | undefined } {
  const path = [service, ...(key === undefined ? [] : [key]), operation].map(encodeURIComponent).join("/");
  return { path: `/${path}`, body: input === undefined ? undefined : JSON.stringify(input) };
}

export function nameOf({ service, name }: DescribedOperation): string {
  return `${service}.${name}`;
}
