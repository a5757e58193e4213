/** One turn of a command: the handler works on a draft; what it leaves is encoded when it returns. */
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { Draft } from "./draft.ts";
import type { Environment } from "./environment.ts";
import { HandlerRun, type Settled } from "./handler-run.ts";
import type { Invocation } from "./invocation.ts";
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
  readonly onFinished: (result: TurnResult) => void;
}

export interface TurnResult {
  readonly reply: GatewayReply;
  /** The new state as text; null: back to the initial one; undefined: as it was. */
  readonly state: string | null | undefined;
  readonly record: CallRecord | null;
  /** Whether there is anything to commit. */
  readonly changed: boolean;
}

export class CommandTurn {
  readonly #options: CommandTurnOptions;
  readonly #run: HandlerRun;
  readonly #draft: Draft;

  constructor(options: CommandTurnOptions) {
    this.#options = options;
    const { environment, outgoing, invocation, attempt, departure, service, key, snapshot } = options;
    this.#draft = new Draft({ service, key, snapshot, stateBytesMax: environment.limits.stateBytesMax });
    this.#run = new HandlerRun(
      { environment, outgoing, invocation, attempt, departure, state: this.#draft.access },
      (settled) => options.onFinished(this.#finish(settled)),
    );
  }

  start(): void {
    this.#run.start();
  }

  /** The turn is over before the handler settled: its draft is void. */
  abandon(): void {
    this.#run.revoke("its turn was over");
  }

  #finish({ kind, reply }: Settled): TurnResult {
    if (kind === "error") return { reply, state: undefined, record: null, changed: false };
    try {
      const state = kind === "value" ? this.#draft.left() : undefined;
      const record = this.#record(reply);
      return { reply, state, record, changed: state !== undefined || record !== null };
    } catch (error) {
      return { reply: this.#run.failureOf(error), state: undefined, record: null, changed: false };
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
