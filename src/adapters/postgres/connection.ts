/**
 * One connection to the primary, and the queue before it. A statement is sent when the one before it has been answered,
 * and none waits or runs for longer than it says.
 *
 * No statement needs anything that an earlier one left behind in the server's session, so a pooler that gives each
 * transaction another session may stand between. A connection that is lost is made again for the next statement, with
 * whichever of the hosts is the primary then, and that server is looked at like the first one.
 */
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import { isCertain, isNoPrimary } from "./failures.ts";
import type { Client, Primary } from "./primary.ts";

/** Statements that may wait for one connection. */
const requestsWaitingMax = 10_000;

export interface Statement {
  readonly text: string;
  /** Without them the text may hold several statements, of which the last one answers. */
  readonly values?: readonly unknown[];
  /** How long it may wait, and then again take. Afterwards the connection is given up, and the outcome is unknown. */
  readonly answerMaxMs: number;
}

export type Row = Readonly<Record<string, unknown>>;

export interface ConnectionOptions {
  /** The kind of work, by which the server's own views tell connections apart. */
  readonly role: string;
  readonly name: string;
  readonly log: Log | undefined;
}

export class Connection {
  readonly #primary: Primary;
  readonly #role: string;
  /** Of the store, for people. */
  readonly #name: string;
  readonly #log: Log | undefined;
  #client: Client | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #open = 0;
  #closing: Promise<void> | undefined;
  #isLost = false;

  constructor(primary: Primary, { role, name, log }: ConnectionOptions) {
    this.#primary = primary;
    this.#role = role;
    this.#name = name;
    this.#log = log;
  }

  /** Statements that it has been asked for and has not answered. */
  get open(): number {
    return this.#open;
  }

  /** Rejects with errors of PostgreSQL as they are, and with {@link SynodError} for everything else. */
  ask(statement: Statement): Promise<readonly Row[]> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (this.#waiting >= requestsWaitingMax) {
      return Promise.reject(new SynodError("resource_exhausted", "too many requests wait for the store"));
    }
    this.#waiting++;
    this.#open++;
    const askedAt = performance.now();
    const answer = this.#last.then(async () => {
      this.#waiting--;
      if (performance.now() - askedAt > statement.answerMaxMs) throw this.#tooLate();
      return await this.#run(statement);
    });
    const isOver = (): void => void this.#open--;
    this.#last = answer.then(isOver, isOver);
    return answer;
  }

  /** Answers what has been asked before, then hangs up. */
  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => this.#hangUp());
    return this.#closing;
  }

  async #run({ text, values, answerMaxMs }: Statement): Promise<readonly Row[]> {
    const client = this.#client ?? (await this.#connect());
    let isReplicated = true;
    const onNotice = (notice: { readonly routine?: string | undefined }): void => {
      // Committed here, but somebody has ended the wait for the standbys: as good as not answered at all.
      if (notice.routine === "SyncRepWaitForLSN") isReplicated = false;
    };
    client.on("notice", onNotice);
    const timer = setTimeout(() => void this.#hangUp(), answerMaxMs);
    client.ref?.();
    try {
      const result = await client.query(values === undefined ? { text } : { text, values: [...values] });
      if (!isReplicated) throw new Error("a commit was not confirmed by the standbys");
      const last: { readonly rows: Row[] } = Array.isArray(result) ? result.at(-1) : result;
      return last.rows;
    } catch (error) {
      if (isNoPrimary(error) || !isCertain(error)) await this.#hangUp();
      throw error;
    } finally {
      clearTimeout(timer);
      client.off("notice", onNotice);
      client.unref?.();
    }
  }

  async #connect(): Promise<Client> {
    try {
      const client = await this.#primary.connect(this.#role);
      const forget = (): void => {
        if (this.#client === client) this.#client = undefined;
      };
      client.on("error", forget);
      client.on("end", forget);
      this.#client = client;
      if (this.#isLost) this.#log?.info(`connected to ${this.#name} again, for its ${this.#role}`);
      this.#isLost = false;
      return client;
    } catch (error) {
      if (!this.#isLost) this.#log?.warn(error instanceof Error ? error.message : String(error));
      this.#isLost = true;
      throw error;
    }
  }

  async #hangUp(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    // The process waits for the goodbye. With a statement under way this cuts the connection.
    client?.ref?.();
    await client?.end().catch(() => undefined);
  }

  #tooLate(): SynodError {
    return new SynodError("unavailable", `${this.#name} is too slow: a request has waited for too long`);
  }
}

export function closed(): SynodError {
  return new SynodError("failed_precondition", "the connection to the store is closed");
}
