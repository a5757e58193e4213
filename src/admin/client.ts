/** The admin API from the other side: what commands ask a running system with. */
import type { AvailabilityReport } from "../availability/report.ts";
import { type Outcome, SynodError } from "../errors.ts";
import type { GatewayCall, GatewayReply } from "../ports/gateway.ts";
import type { AdminFile } from "./admin-file.ts";
import { changeHeader } from "./server.ts";
import type {
  AdminTarget,
  EntityReport,
  NodeMeters,
  SystemReport,
  WorkDetails,
  WorkPage,
  WorkQuery,
} from "./target.ts";

/** Nobody answers at the address of an admin file: the system that wrote it is gone. */
export class NobodyAnswers extends Error {
  override readonly name = "NobodyAnswers";
}

/** How much longer than the call itself its answer is waited for. */
const answerReserveMs = 5_000;
const questionMaxMs = 5_000;
/** How long the owner of pending work may take to do what an operator wants. */
const operateMaxMs = 20_000;
/** How long a node may take to drain and to come back; fetch itself gives up a little later. */
const plannedWorkMaxMs = 290_000;

/** Rejects with {@link NobodyAnswers} when the system is gone, and with the system's own error otherwise. */
export function adminClient({ url, token }: AdminFile): AdminTarget {
  const ask = async (path: string, waitMs: number, change?: unknown): Promise<unknown> => {
    const response = await fetch(new URL(path, url), {
      method: change === undefined ? "GET" : "POST",
      headers: {
        authorization: `Bearer ${token}`,
        ...(change !== undefined && { "content-type": "application/json", [changeHeader]: "1" }),
      },
      body: change === undefined ? null : JSON.stringify(change),
      signal: AbortSignal.timeout(waitMs),
    }).catch((cause: unknown) => {
      throw gone(cause);
    });
    const answer: unknown = await response.json().catch(() => undefined);
    // Another program may have taken the port: it does not know the token, or else not how to answer.
    if (response.status === 401 || answer === undefined) throw anotherProgram(url);
    if (response.ok) return answer;
    throw isError(answer) ? errorOf(answer) : anotherProgram(url);
  };
  return {
    report: async () => {
      const report = await ask("/v1/status", questionMaxMs);
      if (!isReport(report)) throw anotherProgram(url);
      return report;
    },
    meters: async () => (await ask("/v1/meters", questionMaxMs)) as readonly NodeMeters[],
    availability: async () => (await ask("/v1/availability", questionMaxMs)) as AvailabilityReport,
    inspect: async (service, key) => {
      const query = new URLSearchParams({ service, key });
      return (await ask(`/v1/inspect?${query}`, questionMaxMs)) as EntityReport;
    },
    work: async (query) => (await ask(`/v1/work?${parametersOf(query)}`, questionMaxMs)) as WorkPage,
    workDetails: async (id) =>
      (await ask(`/v1/work/details?${new URLSearchParams({ id })}`, questionMaxMs)) as WorkDetails,
    operate: async (id, action) => void (await ask("/v1/work", operateMaxMs, { id, action })),
    drain: async (node) => void (await ask("/v1/drain", plannedWorkMaxMs, { node })),
    restart: async (node) => void (await ask("/v1/restart", plannedWorkMaxMs, { node })),
    strike: async (order) => void (await ask("/v1/fault", questionMaxMs, order)),
    call: async (call) => {
      const { principal: _given, ...asked } = call satisfies Omit<GatewayCall, "signal">;
      return (await ask("/v1/call", (call.timeoutMs ?? 10_000) + answerReserveMs, asked)) as GatewayReply;
    },
  };
}

function parametersOf({ boxes, ...filters }: WorkQuery): URLSearchParams {
  const parameters = new URLSearchParams({ boxes: boxes.join(",") });
  for (const [name, value] of Object.entries(filters)) if (value !== undefined) parameters.set(name, String(value));
  return parameters;
}

interface ErrorAnswer {
  readonly code: string;
  readonly message: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
}

function isError(answer: unknown): answer is ErrorAnswer {
  const { code, message } = (answer ?? {}) as Partial<ErrorAnswer>;
  return typeof code === "string" && typeof message === "string";
}

function isReport(answer: unknown): answer is SystemReport {
  const { system, nodes } = (answer ?? {}) as Partial<SystemReport>;
  return typeof system === "string" && Array.isArray(nodes);
}

function anotherProgram(url: string): NobodyAnswers {
  return new NobodyAnswers(`${url} is another program`);
}

function errorOf({ code, message, outcome, retryable }: ErrorAnswer): SynodError {
  return new SynodError(code, message, { outcome, retryable });
}

function gone(cause: unknown): Error {
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    const message = "the system did not answer in time; what was asked may still be done: see `synod status`";
    return new SynodError("deadline_exceeded", message, { outcome: "unknown", cause });
  }
  return new NobodyAnswers("nobody answers", { cause });
}
