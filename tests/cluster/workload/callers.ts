/** The ways in which clients call: through the client library, and over bare HTTP as strangers do. */
import type { Agent } from "node:http";
import { connect } from "../../../src/client/index.ts";
import { SynodError } from "../../../src/errors.ts";
import { type Answer, ask } from "../bare-http.ts";
import { Account, Counter, Inbox, List, Mailer, Register, Transfer } from "../interfaces.ts";

const interfaces = {
  register: Register,
  counter: Counter,
  list: List,
  mailer: Mailer,
  inbox: Inbox,
  account: Account,
  transfer: Transfer,
};

export type Callee = keyof typeof interfaces;

/** Calls an operation of an entity; rejects with a `SynodError` that says what is known. */
export type Call = (callee: Callee, key: string, operation: string, input?: unknown) => Promise<unknown>;

/** How long a client goes on with one operation. */
const patienceMs = 20_000;
/** How long a client that repeats waits for one answer, and between two requests. */
const answerMaxMs = 3_000;
const repeatMs = 50;

/** A library client of its own, as a process of somebody's would have. */
export function byLibrary(url: string): Call {
  const client = connect(url, { timeout: patienceMs });
  return async (callee, key, operation, input) => {
    const operations = client.to(interfaces[callee], key) as unknown as Record<string, (input?: unknown) => unknown>;
    return await operations[operation]!(input);
  };
}

/** Without an idempotency key and without repeats: what is cut stays unknown. */
export function byHttpOnce(url: string, agent: Agent, waitMs: number): Call {
  return async (callee, key, operation, input) => {
    const answer = await ask(url, `/${callee}/${key}/${operation}`, input, { agent, waitMs }).catch((cause: Error) => {
      throw unanswered(cause);
    });
    return replyOf(answer);
  };
}

/** Under an idempotency key that the client makes, repeated until there is an answer: what a careful stranger does. */
export function byHttpUnderKey(url: string, agent: Agent, makeKey: () => string): Call {
  return async (callee, key, operation, input) => {
    const id = makeKey();
    const end = performance.now() + patienceMs;
    let mayHaveHappened = false;
    for (;;) {
      try {
        const answer = await ask(url, `/${callee}/${key}/${operation}`, input, {
          agent,
          id,
          waitMs: answerMaxMs,
        }).catch((cause: Error) => {
          throw unanswered(cause);
        });
        return replyOf(answer);
      } catch (thrown) {
        const { code, message, data, declared, outcome, retryable } = thrown as SynodError;
        if (declared) throw thrown;
        mayHaveHappened ||= outcome === "unknown";
        if (!retryable || performance.now() > end) {
          throw new SynodError(code, message, { data, outcome: mayHaveHappened ? "unknown" : "not-happened" });
        }
      }
      await new Promise((next) => setTimeout(next, repeatMs));
    }
  };
}

function replyOf({ status, body }: Answer): unknown {
  if (status < 300) return body;
  const problem = body as { code?: string; detail?: string; outcome?: "not-happened" | "unknown"; data?: unknown };
  const { code = "unknown", detail = "", outcome = "unknown", data } = problem ?? {};
  throw new SynodError(code, detail, { outcome, data });
}

function unanswered(cause: Error): SynodError {
  return new SynodError("unavailable", cause.message, { outcome: "unknown", cause });
}
