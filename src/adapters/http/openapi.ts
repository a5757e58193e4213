/**
 * The description of a system's HTTP API as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), made from
 * what the gateway says about its services and from nothing else.
 */
import { statusCodes } from "../../errors.ts";
import type { JsonSchema, OperationDescription, ServiceDescription } from "../../ports/gateway.ts";
import { referenceTo, SchemaComponents } from "./schemas.ts";

export interface OpenapiOptions {
  readonly title: string;
  /** Version of the API. Default 1. */
  readonly version?: string;
  readonly services: readonly ServiceDescription[];
}

const problemSchema: JsonSchema = {
  type: "object",
  description: "An error, after RFC 9457.",
  required: ["type", "title", "status", "detail", "code", "outcome", "retryable"],
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What went wrong, in one sentence." },
    code: { type: "string", description: `A declared error, or one of: ${Object.keys(statusCodes).join(", ")}.` },
    outcome: {
      enum: ["not-happened", "unknown"],
      description: "not-happened: the operation had no effect. unknown: it may have had one.",
    },
    retryable: { type: "boolean", description: "Whether the same request may succeed later." },
    retryAfterMs: { type: "number", description: "How long to wait before a retry; Retry-After says it in seconds." },
    data: { description: "The data of a declared error." },
    violations: {
      type: "array",
      description: "Every violation of the input's schema, with the path of the offending value.",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
  },
};

const parameters = {
  idempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description: "With the same key, a keyed command takes effect at most once and a repeat gets the first answer.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[\\x21-\\x7e]+$" },
  },
  requestTimeout: {
    name: "Request-Timeout",
    in: "header",
    description: "How long the caller waits for the answer, in seconds.",
    schema: { type: "number", exclusiveMinimum: 0 },
  },
  synodPriority: {
    name: "Synod-Priority",
    in: "header",
    description: "Less than the operation's priority, if that will do for this call.",
    schema: { enum: ["critical", "normal", "background"] },
  },
  prefer: {
    name: "Prefer",
    in: "header",
    description: "respond-async: the answer is 202 once the command is accepted; Location says where its outcome is.",
    schema: { type: "string" },
  },
  traceparent: {
    name: "traceparent",
    in: "header",
    description: "W3C trace context.",
    schema: { type: "string" },
  },
};

const headers = {
  idempotentReplayed: {
    description: "true when this is the recorded answer to an earlier request with the same Idempotency-Key.",
    schema: { type: "string", const: "true" },
  },
  location: {
    description: "Where the outcome can be read or waited for.",
    schema: { type: "string", format: "uri-reference" },
  },
  retryAfter: { description: "Wait before a retry, in seconds.", schema: { type: "integer", minimum: 0 } },
};

/** The description as an object for `JSON.stringify`, which leaves out what is undefined in it. */
export function openapiDocument({ title, version = "1", services }: OpenapiOptions): JsonSchema {
  const schemas = new SchemaComponents();
  schemas.add("Problem", problemSchema);
  const paths = services.flatMap((service) =>
    service.operations.map((operation) => [pathOf(service, operation), pathItem(service, operation, schemas)]),
  );
  return {
    openapi: "3.1.1",
    info: { title, version },
    tags: services.map(({ name }) => ({ name })),
    paths: { ...Object.fromEntries(paths), ...outcomesPath(services) },
    components: { schemas: schemas.all, parameters, headers, responses: { problem: problemResponse } },
  };
}

/** It goes on. */
const accepted = {
  description: "Accepted, and not finished yet.",
  headers: { Location: { $ref: "#/components/headers/location" } },
  content: { "application/json": { schema: { type: "object", required: ["state", "outcome"] } } },
};

const problemResponse = {
  description: "The request failed; `code` says why, `outcome` whether it may have happened.",
  headers: { "Retry-After": { $ref: "#/components/headers/retryAfter" } },
  content: { "application/problem+json": { schema: referenceTo("Problem") } },
};

function pathOf({ name, keyed }: ServiceDescription, operation: OperationDescription): string {
  return `/${name}/${keyed ? "{key}/" : ""}${operation.name}`;
}

function pathItem(service: ServiceDescription, operation: OperationDescription, schemas: SchemaComponents): JsonSchema {
  const prefix = `${service.name}.${operation.name}`;
  const { kind, description, hasInput } = operation;
  const input = json(schemas.add(`${prefix}.input`, operation.input));
  const required = operation.input !== undefined;
  const about = { tags: [service.name], description, responses: responses(prefix, operation, schemas) };
  const common = (["requestTimeout", "synodPriority", "traceparent"] as const).map(parameterReference);
  const post = {
    operationId: prefix,
    ...about,
    parameters: [...ownParameters(operation), ...common],
    requestBody: hasInput ? { required, content: input } : undefined,
  };
  const get = {
    operationId: `${prefix}.get`,
    ...about,
    parameters: hasInput ? [{ name: "input", in: "query", required, content: input }, ...common] : common,
  };
  return { parameters: keyParameters(service, schemas), get: kind === "query" ? get : undefined, post };
}

function ownParameters({ kind, durable }: OperationDescription): JsonSchema[] {
  if (kind === "query") return [];
  return (durable ? (["idempotencyKey", "prefer"] as const) : (["idempotencyKey"] as const)).map(parameterReference);
}

/** Where outcomes of durable commands are read; a system without any has none. */
function outcomesPath(services: readonly ServiceDescription[]): JsonSchema {
  if (!services.some(({ operations }) => operations.some(({ durable }) => durable))) return {};
  const name = { name: "name", in: "path", required: true, schema: { type: "string" } };
  const get = {
    operationId: "outcome",
    description: "What became of a durable command: its answer, or 202 when that is not there within Request-Timeout.",
    parameters: [parameterReference("requestTimeout")],
    responses: {
      200: { description: "Its output.", content: json({}) },
      204: { description: "Done; there is no output." },
      202: accepted,
      default: { $ref: "#/components/responses/problem" },
    },
  };
  return { "/outcomes/{name}": { parameters: [name], get } };
}

function keyParameters({ name, keyed, key }: ServiceDescription, schemas: SchemaComponents): JsonSchema[] | undefined {
  if (!keyed) return undefined;
  const schema = key === undefined ? { type: "string" } : schemas.add(`${name}.key`, key);
  return [{ name: "key", in: "path", required: true, schema }];
}

function responses(prefix: string, operation: OperationDescription, schemas: SchemaComponents): JsonSchema {
  const replayed = { "Idempotent-Replayed": { $ref: "#/components/headers/idempotentReplayed" } };
  const headers = operation.kind === "command" ? replayed : undefined;
  const output = json(schemas.add(`${prefix}.output`, operation.output));
  const declared = declaredErrors(prefix, operation, schemas);
  const success = operation.hasOutput
    ? { 200: { description: "The output.", headers, content: output } }
    : { 204: { description: "Done; there is no output.", headers } };
  const refused = {
    description: "An error that the operation declares; `code` names it.",
    headers,
    content: { "application/problem+json": { schema: declared } },
  };
  return {
    ...success,
    202: operation.durable ? accepted : undefined,
    422: declared === undefined ? undefined : refused,
    default: { $ref: "#/components/responses/problem" },
  };
}

function json(schema: JsonSchema): JsonSchema {
  return { "application/json": { schema } };
}

/** One schema for each declared error, told apart by `code`. */
function declaredErrors(
  prefix: string,
  { errors }: OperationDescription,
  schemas: SchemaComponents,
): JsonSchema | undefined {
  const codes = Object.keys(errors);
  if (codes.length === 0) return undefined;
  const variants = codes.map((code) => {
    const data = schemas.add(`${prefix}.errors.${code}.data`, errors[code]);
    const own = { properties: { code: { const: code }, data }, required: ["code", "data"] };
    schemas.put(`${prefix}.errors.${code}`, { allOf: [referenceTo("Problem"), own] });
    return [code, referenceTo(`${prefix}.errors.${code}`)] as const;
  });
  const mapping = Object.fromEntries(variants.map(([code, { $ref }]) => [code, $ref]));
  return { oneOf: variants.map(([, reference]) => reference), discriminator: { propertyName: "code", mapping } };
}

function parameterReference(name: keyof typeof parameters): JsonSchema {
  return { $ref: `#/components/parameters/${name}` };
}
