/** The description of the API: right by OpenAPI's own schema, complete, and with references that lead somewhere. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { z } from "zod";
import type { JsonSchema, ServiceDescription } from "../../ports/gateway.ts";
import { bankServices, send, startHttp } from "./fixture.test.ts";
import { openapiDocument } from "./openapi.ts";

type Document = ReturnType<typeof JSON.parse>;

/** As it is published, after checking it against the official schema and following every reference. */
async function validDocument(services: readonly ServiceDescription[]): Promise<Document> {
  const document = JSON.parse(JSON.stringify(openapiDocument({ title: "bank", services })));
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 2));
  for (const reference of referencesIn(document)) assert.notEqual(resolve(document, reference), undefined, reference);
  return document;
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === "$ref" && typeof member === "string" ? [member] : referencesIn(member),
  );
}

function resolve(document: Document, reference: string): Document {
  assert.match(reference, /^#\//);
  const steps = reference
    .slice(2)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce((value, step) => (Object.hasOwn(value ?? {}, step) ? value[step] : undefined), document);
}

function serviceWith(input: JsonSchema, name = "tree"): ServiceDescription {
  const operation = {
    name: "put",
    kind: "command",
    priority: "normal",
    durable: false,
    description: undefined,
    input,
    hasInput: true,
    output: input,
    hasOutput: true,
    errors: {},
  } as const;
  return { name, keyed: false, key: undefined, operations: [operation] };
}

describe("the OpenAPI document", () => {
  test("is valid OpenAPI 3.1 with one path for each operation", async () => {
    const { openapi, info, paths } = await validDocument(bankServices);
    assert.match(openapi, /^3\.1\./);
    assert.deepEqual(info, { title: "bank", version: "1" });
    assert.deepEqual(Object.keys(paths), [
      "/account/{key}/deposit",
      "/account/{key}/withdraw",
      "/account/{key}/close",
      "/account/{key}/balance",
      "/account/{key}/history",
      "/rates/latest",
      "/rates/publish",
    ]);
  });

  test("describes commands by POST with their idempotency key, and queries by GET as well", async () => {
    const document = await validDocument(bankServices);
    const { paths } = document;
    const namesOf = (operation: Document) =>
      operation.parameters.map(
        (parameter: Document) => (parameter.$ref ? resolve(document, parameter.$ref) : parameter).name,
      );
    assert.equal(paths["/account/{key}/deposit"].get, undefined);
    assert.deepEqual(namesOf(paths["/account/{key}/deposit"].post), [
      "Idempotency-Key",
      "Request-Timeout",
      "Synod-Priority",
      "traceparent",
    ]);
    assert.deepEqual(namesOf(paths["/account/{key}/history"].post), [
      "Request-Timeout",
      "Synod-Priority",
      "traceparent",
    ]);
    assert.deepEqual(namesOf(paths["/account/{key}/history"].get), [
      "input",
      "Request-Timeout",
      "Synod-Priority",
      "traceparent",
    ]);
    assert.deepEqual(namesOf(paths["/account/{key}/balance"]), ["key"]);
    assert.equal(paths["/account/{key}/history"].get.description, "What happened.");
    assert.equal(paths["/account/{key}/close"].post.requestBody, undefined);
    assert.equal(paths["/rates/latest"].parameters, undefined);
  });

  test("has input, output, void output and declared errors, one for each code", async () => {
    const document = await validDocument(bankServices);
    const { post: withdraw } = document.paths["/account/{key}/withdraw"];
    const amount = resolve(document, withdraw.requestBody.content["application/json"].schema.$ref);
    assert.deepEqual(amount.required, ["amount"]);
    assert.deepEqual(document.paths["/account/{key}/close"].post.responses["200"], undefined);
    assert.ok(document.paths["/account/{key}/close"].post.responses["204"]);
    const { oneOf, discriminator } = withdraw.responses["422"].content["application/problem+json"].schema;
    assert.equal(oneOf.length, 1);
    assert.deepEqual(discriminator.mapping, { insufficientFunds: oneOf[0].$ref });
    const [, own] = resolve(document, oneOf[0].$ref).allOf;
    assert.equal(own.properties.code.const, "insufficientFunds");
    assert.deepEqual(resolve(document, own.properties.data.$ref).required, ["amount"]);
    assert.equal(document.paths["/account/{key}/deposit"].post.responses["422"], undefined);
  });

  test("keeps recursive schemas and shared definitions whole after moving them", async () => {
    const Node: z.ZodType = z.object({
      value: z.number(),
      get children() {
        return z.array(Node);
      },
    });
    const Shared = z.object({ street: z.string() }).meta({ id: "Address" });
    const Pair = z.object({ home: Shared, work: Shared });
    for (const schema of [Node, Pair]) {
      const json = z.toJSONSchema(schema) as JsonSchema;
      assert.ok(referencesIn(json).length > 0, "the schema is one with references");
      const document = await validDocument([serviceWith(json)]);
      assert.ok(
        referencesIn(document).some((reference) => reference.startsWith("#/components/schemas/tree.put.input")),
      );
    }
  });

  test("leaves data that looks like a reference alone, and follows properties that are named like keywords", async () => {
    const schema = {
      type: "object",
      properties: { $ref: { type: "string" }, default: { $ref: "#/$defs/a" } },
      const: { $ref: "#/not-a-reference" },
      $defs: { a: { type: "string" } },
    };
    const document = openapiDocument({ title: "t", services: [serviceWith(schema)] }) as Document;
    const moved = document.components.schemas["tree.put.input"];
    assert.deepEqual(moved.const, { $ref: "#/not-a-reference" });
    assert.deepEqual(moved.properties.default, { $ref: "#/components/schemas/tree.put.input/$defs/a" });
    assert.deepEqual(moved.properties.$ref, { type: "string" });
  });

  test("is valid without services, without schemas, and with a version", async () => {
    assert.deepEqual((await validDocument([])).paths, {});
    assert.equal((openapiDocument({ title: "t", version: "2.1", services: [] }) as Document).info.version, "2.1");
  });

  test("is served at /openapi.json, as the pure function gives it", async () => {
    await using server = await startHttp();
    const reply = await send(server, "GET", "/openapi.json");
    assert.match(String(reply.headers["content-type"]), /^application\/json/);
    assert.equal(reply.text, JSON.stringify(openapiDocument({ title: "bank", services: bankServices })));
  });
});
