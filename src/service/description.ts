/** Services as the outside world sees them: what adapters build their routes and API descriptions from. */
import type { JsonSchema, OperationDescription, ServiceDescription } from "../ports/gateway.ts";
import type { AnyInterface, AnyOperation, AnyService } from "./model.ts";
import { jsonSchema } from "./schema.ts";

export function describeService(described: AnyService | AnyInterface): ServiceDescription {
  const { name, key, operations } = "interface" in described ? described.interface : described;
  return {
    name,
    keyed: key !== undefined,
    key: key && jsonSchema(key, "input"),
    operations: Object.entries(operations).map(describeOperation),
  };
}

function describeOperation([name, operation]: [string, AnyOperation]): OperationDescription {
  const { kind, priority, durable, description, input, output } = operation;
  const errors: Record<string, JsonSchema | undefined> = {};
  for (const [code, schema] of Object.entries(operation.errors)) errors[code] = jsonSchema(schema, "output");
  return {
    name,
    kind,
    priority,
    durable,
    description,
    input: input && jsonSchema(input, "input"),
    hasInput: input !== undefined,
    output: output && jsonSchema(output, "output"),
    hasOutput: output !== undefined,
    errors,
  };
}
