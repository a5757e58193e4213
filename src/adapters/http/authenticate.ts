/** Authentication: who calls. The adapter asks the user's function, within a bound, and passes its answer on. */
import type { IncomingMessage } from "node:http";
import { isStatusCode, SynodError, statusCodes } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import { principalBytesMax } from "../../values/call-bounds.ts";
import type { HttpSettings } from "./options.ts";
import { Refusal } from "./problem.ts";

/** Who everybody is when nothing authenticates. */
export const anonymous = "anonymous";

/** Asks who sent a request. The promise rejects with a {@link Refusal}. */
export type Authenticator = (request: IncomingMessage) => Promise<string>;

export function authenticatorOf(settings: HttpSettings, log: Log): Authenticator | undefined {
  const { authenticate, challenge, limits } = settings;
  if (authenticate === undefined) return undefined;
  return async ({ method = "", url = "", headers }) => {
    try {
      const principal = await within(limits.authenticateTimeoutMs, async () => authenticate({ method, url, headers }));
      if (isPrincipal(principal)) return principal;
    } catch (thrown) {
      if (thrown instanceof SynodError && isStatusCode(thrown.code)) throw refusalOf(thrown, challenge);
      log.debug("a caller was not authenticated", { reason: String(thrown) });
      throw unauthenticated(challenge);
    }
    log.error(
      `authenticate answered with something that is not a principal: a string of 1 to ${principalBytesMax} bytes`,
    );
    throw unauthenticated(challenge);
  };
}

function isPrincipal(answer: unknown): answer is string {
  return typeof answer === "string" && answer !== "" && Buffer.byteLength(answer) <= principalBytesMax;
}

function refusalOf({ code, message, retryable, retryAfterMs }: SynodError, challenge: string): Refusal {
  if (code === "unauthenticated") return unauthenticated(challenge, message);
  const status = isStatusCode(code) ? statusCodes[code] : statusCodes.unknown;
  return new Refusal(status, code, message, { retryable, retryAfterMs });
}

function unauthenticated(challenge: string, detail = "it is not known who calls"): Refusal {
  return new Refusal(401, "unauthenticated", detail, { headers: { "www-authenticate": challenge } });
}

async function within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const error = new SynodError("unavailable", "it took too long to find out who calls");
  const timer = setTimeout(reject, timeoutMs, error);
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
