/**
 * A caller in a drill: a client of its own, as a process of somebody's would have one, which asks one thing at a time through
 * the client library, with its repeats, and writes down what it asked and heard.
 */
import type { DescribedOperation, WorkRequest } from "../capacity/asks.ts";
import { type Client, connect } from "../client/index.ts";
import { SynodError } from "../errors.ts";
import { checked } from "../service/checked.ts";
import type { AnyInterface, AnyOperation } from "../service/model.ts";
import type { HistoryClient } from "../simulation/history.ts";
import { makeTimedKey } from "../values/ids.ts";
import type { Outcome } from "./ledger.ts";

export interface CallerOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly interfaces: ReadonlyMap<string, AnyInterface>;
  readonly history: HistoryClient;
  /** Counts every HTTP answer, as the system's nodes count them. */
  readonly answers?: AnswerCounts;
}

/** HTTP answers, those to repeats too. What is the caller's own fault is neither; what was cut is no answer. */
export class AnswerCounts {
  good = 0;
  bad = 0;

  add({ ok, status }: Pick<Response, "ok" | "status">): void {
    if (ok || status === declaredStatus) this.good += 1;
    else if (status === shedStatus || (status >= 500 && status !== notImplementedStatus)) this.bad += 1;
  }
}

const declaredStatus = 422;
const shedStatus = 429;
const notImplementedStatus = 501;

/** What was heard. */
export interface Heard {
  readonly outcome: Outcome;
  /** The output, or a declared error's data. */
  readonly value: unknown;
  /** Name of the declared error, or code of the failure. */
  readonly error: string | undefined;
  /** HTTP requests that it took. */
  readonly attempts: number;
  /** Whether the last answer was the recorded one of an earlier request. */
  readonly replayed: boolean;
}

/** Without the types that only the user's own interfaces have. */
type CallsByName = Readonly<Record<string, (input?: unknown) => Promise<unknown>>>;

const keyRandomBytes = 10;
const anything = checked<unknown>("anything", () => true);

export class DrillCaller {
  readonly #client: Client;
  readonly #options: CallerOptions;
  #attempts = 0;
  #replayed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#client = connect(options.url.href, {
      timeout: options.timeoutMs,
      headers: options.headers,
      fetch: async (url, init) => {
        this.#attempts += 1;
        const response = await fetch(url, init);
        options.answers?.add(response);
        this.#replayed = response.headers.get("idempotent-replayed") === "true";
        return response;
      },
    });
  }

  /** Never rejects. `id`: the idempotency key; `name`: the operation in the history. */
  async ask({ service, key, operation, input }: WorkRequest, id: string | undefined, name: string): Promise<Heard> {
    const { interfaces, history } = this.#options;
    const callee = interfaces.get(service)!;
    const address = key === undefined ? [] : [key];
    const options = id === undefined ? {} : { id };
    this.#attempts = 0;
    this.#replayed = false;
    history.invoke(name, key ?? null, input);
    try {
      const to = this.#client.to as (callee: AnyInterface, ...address: readonly unknown[]) => CallsByName;
      const value = await to(callee, ...address, options)[operation]!(input);
      history.ok(value);
      return this.#heard("ok", value, undefined);
    } catch (thrown) {
      const error = thrown instanceof SynodError ? thrown : new SynodError("internal", String(thrown));
      history.failed(error);
      if (error.declared) return this.#heard("ok", error.data, error.code);
      return this.#heard(error.outcome === "not-happened" ? "fail" : "info", undefined, error.code);
    }
  }

  #heard(outcome: Outcome, value: unknown, error: string | undefined): Heard {
    return { outcome, value, error, attempts: this.#attempts, replayed: this.#replayed };
  }
}

/** As the client library makes them; made here, so that a command can be asked for again when all is over. */
export function newKey(): string {
  return makeTimedKey(Date.now(), crypto.getRandomValues(new Uint8Array(keyRandomBytes)));
}

/** Enough of the interfaces for the client library, from the system's own description. */
export function interfacesFrom(operations: readonly DescribedOperation[]): Map<string, AnyInterface> {
  const found = new Map<string, AnyInterface>();
  for (const [name, own] of Map.groupBy(operations, ({ service }) => service)) {
    const key = own[0]!.key === undefined ? undefined : anything;
    found.set(name, { name, key, operations: Object.fromEntries(own.map((one) => [one.name, operationFrom(one)])) });
  }
  return found;
}

function operationFrom({ command, durable, errors, input }: DescribedOperation): AnyOperation {
  return {
    kind: command ? "command" : "query",
    durable,
    input: input === undefined ? undefined : anything,
    output: anything,
    errors: Object.fromEntries(errors.map((name) => [name, anything])),
    description: undefined,
    priority: "normal",
  };
}
