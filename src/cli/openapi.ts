/** `synod openapi`: the description of a system's HTTP API, without running it. */
import { openapiDocument } from "../adapters/http/openapi.ts";
import { loadSystem } from "../host/system-file.ts";
import { describeService } from "../service/description.ts";

export async function openapi(systemFile: string): Promise<void> {
  const system = await loadSystem(systemFile);
  const document = openapiDocument({ title: system.name, services: system.services.map(describeService) });
  process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}
