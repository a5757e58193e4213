/**
 * What `loadtest` (https://github.com/alexfernandez/loadtest) finds: with `requestsPerSecond` it sends at fixed instants, on as many
 * connections as that takes. It counts from the sending, and what is open when a trial ends it does not wait for.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { findAsks, written } from "../../src/capacity/asks.ts";
import { keepTo } from "../../src/capacity/processors.ts";
import { CapacitySearch } from "../../src/capacity/search.ts";
import type { Verdict } from "../../src/capacity/trial.ts";
import { newKey } from "../../src/drill/callers.ts";
import { createPrng } from "../../src/values/prng.ts";
import type { Run } from "../bench.ts";
import { goFirst } from "../overload/processors.ts";
import { peer } from "../peers.ts";
import { division, firstPerSecond, keys, objective, perSecondMax, startBank, timeoutMs } from "./bank.ts";

interface RequestParameters {
  readonly host: string;
  readonly agent: unknown;
}

interface LoadtestResult {
  readonly totalRequests: number;
  readonly totalErrors: number;
  readonly elapsedSeconds: number;
  readonly errorCodes: Readonly<Record<string, number>>;
  /** Undefined or false when too few were answered. */
  readonly percentiles: Readonly<Record<string, number | false | undefined>>;
}

type LoadTest = (options: Readonly<Record<string, unknown>>) => Promise<LoadtestResult>;

type SendRequest = (parameters: object, onAnswer: (answer: IncomingMessage) => void) => ClientRequest;

const declaredStatus = "422";
const errorsPartMax = 0.001;
/** Of what is due until so long before the end as an answer may take, the part that is answered when a system keeps up. */
const answeredPartMin = 0.98;
const settleMs = 1_000;

export const run: Run = async ({ measureMs }) => {
  const { loadTest } = await peer<{ readonly loadTest: LoadTest }>("loadtest");
  goFirst();
  // The bank's nodes stay where they were started, and this process, which is the load, goes to its own processors.
  if (division !== undefined) keepTo(division.system, process.pid);
  await using bank = await startBank();
  if (division !== undefined) keepTo(division.load, process.pid);
  const next = await requestsOf(bank.url);
  const offer = (perSecond: number, ms: number): Promise<LoadtestResult> =>
    loadTest({
      url: bank.url.href,
      method: "POST",
      requestsPerSecond: perSecond,
      maxSeconds: ms / 1_000,
      timeout: timeoutMs,
      agentKeepAlive: true,
      quiet: true,
      // Only then it tells status codes apart.
      statusCallback: () => {},
      requestGenerator: next,
    });
  await offer(firstPerSecond * 4, measureMs);
  const search = new CapacitySearch({ firstPerSecond, perSecondMax });
  let p99Ms = 0;
  for (let trial = search.next(); trial !== undefined; trial = search.next()) {
    await offer(trial.perSecond, settleMs);
    const result = await offer(trial.perSecond, measureMs * trial.lengths);
    const verdict = judge(result, trial.perSecond);
    if (verdict.kind === "passed" && trial.phase === "confirmation") p99Ms = result.percentiles["99"] || 0;
    search.told(verdict);
  }
  return { value: search.result.perSecond, details: [{ name: "p99", unit: "ms", value: p99Ms }] };
};

/** As the capacity finder judges, as far as this tool tells. */
function judge(
  { totalRequests, totalErrors, elapsedSeconds, errorCodes, percentiles }: LoadtestResult,
  perSecond: number,
): Verdict {
  const failed = totalErrors - (errorCodes[declaredStatus] ?? 0);
  const p99Ms = percentiles["99"];
  const dueSeconds = Math.max(0, elapsedSeconds - objective.limitMs / 1_000);
  const reasons = [
    typeof p99Ms === "number" && p99Ms <= objective.limitMs ? undefined : `p99 ${p99Ms} ms`,
    failed <= totalRequests * errorsPartMax ? undefined : `${failed} failed`,
    totalRequests >= perSecond * dueSeconds * answeredPartMin ? undefined : `${totalRequests} answered`,
  ].filter((reason) => reason !== undefined);
  return reasons.length === 0 ? { kind: "passed" } : { kind: "failed", reasons };
}

/** The requests of the other side, made one at a time. */
async function requestsOf(url: URL) {
  const { draw } = await findAsks({ url, headers: {}, timeoutMs, keys });
  const prng = createPrng(1);
  return (
    _options: unknown,
    { agent }: RequestParameters,
    send: SendRequest,
    onAnswer: (answer: IncomingMessage) => void,
  ): ClientRequest => {
    const { operation, request } = draw(prng, 0);
    const { path, body } = written(request);
    const headers = {
      "request-timeout": timeoutMs / 1_000,
      "content-length": Buffer.byteLength(body ?? ""),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(operation.command && operation.key !== undefined && { "idempotency-key": newKey() }),
    };
    const sent = send({ host: url.hostname, port: url.port, path, method: "POST", agent, headers }, onAnswer);
    if (body !== undefined) sent.write(body);
    return sent;
  };
}
