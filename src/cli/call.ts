/** `synod call`: one call to a running system, from the command line. */
import { text } from "node:stream/consumers";
import type { SystemReport } from "../admin/target.ts";
import { SynodError } from "../errors.ts";
import type { GatewayError } from "../ports/gateway.ts";
import { parseDuration } from "../values/durations.ts";
import { isName } from "../values/ids.ts";
import { notAmong } from "../values/nearest.ts";
import { exitCodes, UsageError } from "./exit.ts";
import { findRunning, type WhichSystem } from "./running.ts";

export interface CallCommandOptions extends WhichSystem {
  readonly json: boolean;
  /** Idempotency key. */
  readonly id?: string;
  readonly timeout?: string;
}

interface Called {
  readonly service: string;
  readonly key: string | undefined;
  readonly operation: string;
  readonly input: string | undefined;
}

/** Prints the output and resolves with the exit code. */
export async function call(service: string, words: readonly string[], options: CallCommandOptions): Promise<number> {
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, "--timeout");
  const { client, report } = await findRunning(options);
  const { input, ...called } = readWords(service, words, report);
  const reply = await client.call({
    ...called,
    input: input === "-" ? await text(process.stdin) : input,
    idempotencyKey: options.id,
    timeoutMs,
    principal: "operator",
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(reply)}\n`);
    return reply.ok ? exitCodes.done : reply.error.declared ? exitCodes.declaredError : exitCodes.failed;
  }
  if (!reply.ok) throw readable(reply.error);
  if (reply.output !== undefined) process.stdout.write(`${reply.output}\n`);
  return exitCodes.done;
}

/** A keyed service has its key between its name and the operation. */
function readWords(name: string, words: readonly string[], { services }: SystemReport): Called {
  const service = services.find((candidate) => candidate.name === name);
  if (!service) {
    const names = services.map((candidate) => candidate.name);
    throw notAmong(`There is no service ${name}`, name, names);
  }
  const [key, operation, input, more] = service.keyed ? words : [undefined, ...words];
  const isShort = operation === undefined || (service.keyed && key === undefined);
  // Whoever forgets the key gives the input in the operation's place.
  if (isShort || more !== undefined || !isName(operation)) {
    const form = service.keyed ? `synod call ${name} KEY OPERATION [JSON]` : `synod call ${name} OPERATION [JSON]`;
    throw new UsageError(`${name} is ${service.keyed ? "keyed" : "stateless"}: write \`${form}\`.`);
  }
  return { service: name, key, operation, input };
}

function readable({ code, message, data, violations, outcome }: GatewayError): SynodError {
  // The message has the violations in it already, unless it was written by somebody else.
  const untold = violations?.filter((violation) => !message.includes(violation.message));
  const details = data ?? untold?.map((violation) => `${violation.path} ${violation.message}`).join("; ");
  const doubt = outcome === "unknown" ? "; it may have taken effect all the same" : "";
  const said = message === code ? code : `${code}: ${message}`;
  return new SynodError(code, `${said}${details ? ` ${details}` : ""}${doubt}`, { outcome });
}
