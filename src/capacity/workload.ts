/**
 * What a load asks for. A scenario may say it; otherwise it is made from the system's own description of its HTTP API
 * (OpenAPI, which is made from the interfaces): every operation, inputs from their schemas, keys spread over many
 * entities. A schema says less than its author knows, so each operation is tried first, and what the system refuses as
 * invalid is not asked for under load.
 */
import { SynodError } from "../errors.ts";
import { createPrng, type Prng, pick } from "../values/prng.ts";
import { generateValue, type JsonSchema } from "../values/schema-values.ts";
import type { PreparedRequest } from "./load/messages.ts";

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

export interface WorkloadOptions {
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

export interface Workload {
  readonly requests: readonly PreparedRequest[];
  /** What is asked for, in words: `account.deposit`. */
  readonly operations: readonly string[];
  /** What is not, each with the reason. */
  readonly unasked: readonly string[];
}

/** Prepared requests; the load draws from them. */
const requestsLength = 4_000;
/** Inputs of an operation that are tried, and how many good ones are enough. */
const triesMax = 60;
const inputsEnough = 20;
const scenarioClients = 100;
const questionMaxMs = 10_000;
/** What the names of services begin with that Synod adds to a system: nobody's workload. */
const ownServices = "synod-";

interface Operation {
  readonly service: string;
  readonly name: string;
  readonly command: boolean;
  readonly key: JsonSchema | undefined;
  readonly input: JsonSchema | undefined;
}

/** Throws `failed_precondition` when there is nothing that could be asked for. */
export async function prepareWorkload(options: WorkloadOptions): Promise<Workload> {
  const document = await describe(options);
  const operations = operationsOf(document);
  const prng = createPrng(1);
  const { work } = options;
  if (work !== undefined) {
    const known = new Map(operations.map((operation) => [nameOf(operation), operation]));
    const asked = Array.from({ length: requestsLength }, (_, at) => checked(work(prng, at % scenarioClients), known));
    const names = [...new Set(asked.map(({ operation }) => nameOf(operation)))];
    return {
      requests: asked.map(({ operation, request }) => prepare(operation, request, options)),
      operations: names.sort(),
      unasked: [],
    };
  }
  const sounded = await Promise.all(operations.map((operation) => sound(operation, document, options)));
  const usable = sounded.filter(({ refusal }) => refusal === undefined);
  const unasked = sounded.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal]));
  if (usable.length === 0) {
    const sentence = `Nothing of the system at ${options.url.origin} can be asked for: write a scenario with a workload.`;
    throw new SynodError("failed_precondition", [sentence, ...unasked].join("\n  "));
  }
  const requests = Array.from({ length: requestsLength }, () => {
    const { operation, inputs, keys } = pick(prng, usable);
    const key = operation.key === undefined ? undefined : pick(prng, keys);
    return prepare(
      operation,
      { service: operation.service, operation: operation.name, key, input: pick(prng, inputs) },
      options,
    );
  });
  return { requests, operations: usable.map(({ operation }) => nameOf(operation)).sort(), unasked };
}

async function describe({ url, headers }: WorkloadOptions): Promise<JsonSchema> {
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
  readonly post?: { readonly operationId: string; readonly requestBody?: { readonly content: Content } };
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema } | undefined>>;

function operationsOf({ paths }: JsonSchema): Operation[] {
  return Object.values(paths as Record<string, PathItem>).flatMap(({ parameters, get, post }) => {
    if (post === undefined || post.operationId.startsWith(ownServices)) return [];
    const dot = post.operationId.indexOf(".");
    return {
      service: post.operationId.slice(0, dot),
      name: post.operationId.slice(dot + 1),
      command: get === undefined,
      key: parameters?.find((parameter) => parameter.in === "path")?.schema,
      input: post.requestBody?.content["application/json"]?.schema,
    };
  });
}

interface Sounded {
  readonly operation: Operation;
  readonly inputs: readonly unknown[];
  readonly keys: readonly string[];
  readonly refusal: string | undefined;
}

/** Tries the operation, until enough inputs were accepted. */
async function sound(operation: Operation, document: JsonSchema, options: WorkloadOptions): Promise<Sounded> {
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
async function ask(request: WorkRequest, { url, headers, timeoutMs }: WorkloadOptions): Promise<string | undefined> {
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

function checked(
  request: WorkRequest,
  known: ReadonlyMap<string, Operation>,
): { operation: Operation; request: WorkRequest } {
  const operation = known.get(`${request.service}.${request.operation}`);
  if (operation !== undefined && (operation.key !== undefined) === (request.key !== undefined))
    return { operation, request };
  const sentence = `the scenario asks for ${request.service}.${request.operation}${request.key === undefined ? " without a key" : ""}, and the system has ${[...known.keys()].join(", ")}`;
  throw new SynodError("invalid_argument", sentence);
}

function written({ service, key, operation, input }: WorkRequest): { path: string; body: string | undefined } {
  const path = [service, ...(key === undefined ? [] : [key]), operation].map(encodeURIComponent).join("/");
  return { path: `/${path}`, body: input === undefined ? undefined : JSON.stringify(input) };
}

function prepare(
  operation: Operation,
  request: WorkRequest,
  { url, headers, timeoutMs }: WorkloadOptions,
): PreparedRequest {
  const { path, body } = written(request);
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: ${url.host}`,
    `Request-Timeout: ${timeoutMs / 1_000}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : ["Content-Type: application/json"]),
    `Content-Length: ${Buffer.byteLength(body ?? "")}`,
  ];
  const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  return {
    head: latin1(`${lines.join("\r\n")}\r\n`),
    tail: `\r\n${latin1(body ?? "")}`,
    keyed: operation.command && operation.key !== undefined,
  };
}

function nameOf({ service, name }: Operation): string {
  return `${service}.${name}`;
}
