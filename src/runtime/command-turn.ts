/** One turn of a command: the handler works on a draft; what it leaves is encoded when it returns. */
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { Draft } from "./draft.ts";
import type { Environment } from "./environment.ts";
import { HandlerRun, type Settled } from "./handler-run.ts";
import type { Invocation } from "./invocation.ts";
import type { EntityTimers } from "./messages/entity-timers.ts";
import { type Left, Sending } from "./messages/sending.ts";
import type { Outgoing } from "./outgoing.ts";
import { encodeRecorded } from "./replies.ts";
import type { Snapshot } from "./snapshot.ts";

export interface CommandTurnOptions {
  readonly environment: Environment;
  readonly outgoing: Outgoing;
  readonly invocation: Invocation;
  readonly attempt: number;
  readonly service: AnyService;
  readonly key: string;
  /** What the command runs on. */
  readonly snapshot: Snapshot;
  readonly departure: () => Promise<void>;
  /** How many more messages may wait to be delivered. */
  readonly room: () => number;
  /** Those of the entity; null when it has none. */
  readonly timers: EntityTimers | null;
  readonly onFinished: (result: TurnResult) => void;
}

export interface TurnResult {
  readonly reply: GatewayReply;
  /** The new state as text; null: back to the initial one; undefined: as it was. */
  readonly state: string | null | undefined;
  readonly record: CallRecord | null;
  /** Messages and timers. */
  readonly left: Left | null;
  /** Whether there is anything to commit. */
  readonly changed: boolean;
}

/** A turn that leaves everything as it was. */
export function nothing(reply: GatewayReply): TurnResult {
  return { reply, state: undefined, record: null, left: null, changed: false };
}

export class CommandTurn {
  readonly #options: CommandTurnOptions;
  readonly #run: HandlerRun;
  readonly #draft: Draft;
  readonly #sending: Sending;

  constructor(options: CommandTurnOptions) {
    this.#options = options;
    const { environment, outgoing, invocation, attempt, departure } = options;
    this.#draft = new Draft(options);
    this.#sending = new Sending(options);
    this.#run = new HandlerRun(
      { environment, outgoing, invocation, attempt, departure, state: this.#draft, sending: this.#sending },
      (settled) => options.onFinished(this.#finish(settled)),
    );
  }

  start(): void {
    this.#run.start();
  }

  /** When the handler settled, on the monotonic clock, ms. */
  get endedAt(): number {
    return this.#run.endedAt;
  }

  /** The turn is over before the handler settled: its draft is void. */
  abandon(): void {
    this.#run.revoke("its turn was over");
  }

  #finish({ kind, reply }: Settled): TurnResult {
    if (kind === "error") return nothing(reply);
    try {
      const state = kind === "value" ? this.#draft.left() : undefined;
      const left = kind === "value" ? this.#sending.left : null;
      const record = this.#record(reply);
      // What a timer ran clears it.
      const fired = this.#options.invocation.timer !== undefined;
      const changed = state !== undefined || record !== null || left !== null || fired;
      return { reply, state, record, left, changed };
    } catch (error) {
      return nothing(this.#run.failureOf(error));
    }
  }

  #record(reply: GatewayReply): CallRecord | null {
    const { invocation, environment } = this.#options;
    const { id } = invocation;
    if (id === null) return null;
    return {
      id: id.hash,
      inputHash: id.inputHash,
      reply: encodeRecorded(reply),
      finishedAt: id.call === undefined ? Math.floor(environment.clock.wall()) : null,
      keyTime: id.keyTime,
    };
  }
}
