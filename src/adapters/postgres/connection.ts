/**
 * One connection to the primary, and the queue before it. A statement is sent when the one before it has been answered,
 * and none waits or runs for longer than it says.
 *
 * No statement needs anything that an earlier one left behind in the server's session, so a pooler that gives each
 * transaction another session may stand between. A connection that is lost is made again for the next statement, with
 * whichever of the hosts is the primary then, and that server is looked at like the first one.
 *
 * A server that was replaced is not believed, whatever it answers (rule S5). A connection to it ends as soon as any other
 * connection of the store has met a newer one; and because behind a pooler every statement may meet another server, a
 * statement says itself which timeline it was run on.
 */
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import { isCertain, isNoPrimary } from "./failures.ts";
import { hangUp } from "./goodbye.ts";
import type { Found, Primary } from "./primary.ts";
import { timelineOf } from "./timeline.ts";

/** Statements that may wait for one connection. */
const requestsWaitingMax = 10_000;

export interface Statement {
  /**
   * Of a text that is made when it is sent, for the oldest timeline that may run it, no row says that the server's is
   * older. A row with a `timeline` says which one the statement was run on.
   */
  readonly text: string | ((timelineMin: string) => string);
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
  #found: Found | undefined;
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
    primary.timeline.follow(() => {
      if (this.#found !== undefined && this.#found.timeline < primary.timeline.newest) void this.#hangUp();
    });
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
    const found = await this.#connected();
    const { client } = found;
    let isReplicated = true;
    const onNotice = (notice: { readonly routine?: string | undefined }): void => {
      // Committed here, but somebody has ended the wait for the standbys: as good as not answered at all.
      if (notice.routine === "SyncRepWaitForLSN") isReplicated = false;
    };
    client.on("notice", onNotice);
    const timer = setTimeout(() => void this.#hangUp(), answerMaxMs);
    client.ref?.();
    try {
      const sent = typeof text === "string" ? text : text(this.#primary.timeline.newestText);
      const query = values === undefined ? { text: sent } : { text: sent, values: [...values] };
      const result = await client.query(query);
      if (!isReplicated) throw new Error("a commit was not confirmed by the standbys");
      const last: { readonly rows: Row[] } = Array.isArray(result) ? result.at(-1) : result;
      if (typeof text !== "string" && last.rows.length === 0) throw this.#former();
      this.#believe(last.rows, found);
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

  /** Raises when the server has turned out to be a former primary meanwhile: what it did has no meaning. */
  #believe(rows: readonly Row[], { timeline }: Found): void {
    const said = rows.find((row) => typeof row.timeline === "string")?.timeline;
    if (this.#primary.timeline.admits(said === undefined ? timeline : timelineOf(said))) return;
    throw new Error("a primary that was replaced has answered");
  }

  /** The connection there is, or a new one; never to a server that was replaced. */
  async #connected(): Promise<Found> {
    const { timeline } = this.#primary;
    if (this.#found !== undefined) return this.#found;
    const found = await this.#connect();
    if (found.timeline >= timeline.newest) return found;
    // Another connection has met the newer one while this one was made.
    await this.#hangUp();
    throw this.#former();
  }

  async #connect(): Promise<Found> {
    try {
      const found = await this.#primary.connect(this.#role);
      const { client } = found;
      const forget = (): void => {
        if (this.#found === found) this.#found = undefined;
      };
      client.on("error", forget);
      client.on("end", forget);
      this.#found = found;
      if (this.#isLost) this.#log?.info(`connected to ${this.#name} again, for its ${this.#role}`);
      this.#isLost = false;
      return found;
    } catch (error) {
      if (!this.#isLost) this.#log?.warn(error instanceof Error ? error.message : String(error));
      this.#isLost = true;
      throw error;
    }
  }

  async #hangUp(): Promise<void> {
    const client = this.#found?.client;
    this.#found = undefined;
    if (client === undefined) return;
    // The process waits for the goodbye.
    client.ref?.();
    await hangUp(client);
  }

  #former(): SynodError {
    return new SynodError(
      "unavailable",
      `${this.#name} was asked at a primary that was replaced: nothing was done there`,
    );
  }

  #tooLate(): SynodError {
    return new SynodError("unavailable", `${this.#name} is too slow: a request has waited for too long`);
  }
}

export function closed(): SynodError {
  return new SynodError("failed_precondition", "the connection to the store is closed");
}
