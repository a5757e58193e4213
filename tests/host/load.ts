/**
 * Clients that never give up: each deposit has an idempotency key and is repeated, whatever happens, until it
 * is acknowledged. So in the end every account must hold exactly what was deposited.
 */
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";

export interface Acknowledged {
  readonly account: string;
  readonly id: string;
  readonly amount: number;
  /** By the monotonic clock, in ms. */
  readonly startedAt: number;
  readonly answeredAt: number;
  readonly attempts: number;
}

interface Answer {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: unknown;
}

const retryPauseMs = 20;
/** Longer than any restart, so that a request that waits in the queue of the socket is answered. */
const attemptMaxMs = 5_000;
const giveUpAfterMs = 30_000;

/** One deposit to one account, repeated until it is acknowledged. */
export async function deposit(
  url: string,
  account: string,
  amount: number,
  id: string = randomUUID(),
): Promise<Acknowledged> {
  const startedAt = performance.now();
  for (let attempts = 1; ; attempts++) {
    const answer = await attempt(url, `/account/${account}/deposit`, { amount }, id).catch(() => undefined);
    const answeredAt = performance.now();
    if (answer?.status === 200) return { account, id, amount, startedAt, answeredAt, attempts };
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error(JSON.stringify(answer));
    if (answeredAt - startedAt > giveUpAfterMs) throw new Error(`a deposit to ${account} got no answer`);
    await new Promise((next) => setTimeout(next, retryPauseMs));
  }
}

export async function balance(url: string, account: string): Promise<number> {
  const { body } = await attempt(url, `/account/${account}/balance`, undefined, undefined);
  return (body as { balance: number }).balance;
}

/** Repeats an acknowledged deposit: true when the answer was the recorded one. */
export async function replays(url: string, { account, amount, id }: Acknowledged): Promise<boolean> {
  const { status, replayed } = await attempt(url, `/account/${account}/deposit`, { amount }, id);
  return status === 200 && replayed;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function attempt(url: string, path: string, input: unknown, id: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", ...(id !== undefined && { "idempotency-key": id }) };
    const call = request(new URL(path, url), { method: "POST", agent, headers, timeout: attemptMaxMs }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        const replayed = response.headers["idempotent-replayed"] === "true";
        resolve({ status: response.statusCode!, replayed, body: JSON.parse(text) });
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer in time")));
    call.on("error", reject);
    call.end(input === undefined ? undefined : JSON.stringify(input));
  });
}
