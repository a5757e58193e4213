/** HTTP requests as a stranger makes them: no library, no repeats. */
import { type Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface AskOptions {
  /** Connections that are kept; without it the request has one of its own. */
  readonly agent?: Agent;
  readonly id?: string;
  /** How long an answer is waited for. */
  readonly waitMs?: number;
}

/** A node that has too much to do, or too little time left: it says so at once, and nothing has happened or is lost. */
export function isOverload({ status }: Answer): boolean {
  return status === 429 || status === 504;
}

/** Rejects when there is no answer. */
export function ask(url: string, path: string, input: unknown, options: AskOptions = {}): Promise<Answer> {
  const { agent = false, id, waitMs = 10_000 } = options;
  const text = input === undefined ? undefined : JSON.stringify(input);
  const headers = {
    ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    ...(id !== undefined && { "idempotency-key": id }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, url), { method: "POST", agent, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (body += chunk));
      response.on("error", fail);
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode!, body: body === "" ? undefined : JSON.parse(body) });
      });
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${waitMs} ms`)), waitMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    asked.on("error", fail);
    asked.end(text);
  });
}

/** Asks the counter again and again, under one id and on new connections, until it has added; resolves with when. */
export async function addUntilAnswered(url: string, key: string, id: string, giveUpMs: number): Promise<number> {
  const end = performance.now() + giveUpMs;
  for (;;) {
    const answer = await ask(url, `/counter/${key}/add`, 1, { id, waitMs: giveUpMs }).catch(() => undefined);
    const now = performance.now();
    if (answer?.status === 200) return now;
    if (now > end) throw new Error(`counter ${key} did not answer within ${giveUpMs} ms: ${JSON.stringify(answer)}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}
