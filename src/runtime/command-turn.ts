/** One turn of a command: the handler works on a draft; what it leaves is encoded when it returns. */
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { encodeJson } from "../values/json.ts";
import type { Environment } from "./environment.ts";
import type { StateAccess } from "./handler-context.ts";
import { HandlerRun, type Settled } from "./handler-run.ts";
import { type Invocation, nameOfEntity } from "./invocation.ts";
import type { Outgoing } from "./outgoing.ts";
import { encodeRecorded } from "./replies.ts";
import { absent, draftOf, initialText, type Snapshot } from "./snapshot.ts";

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
  #draft: { value: unknown } | null = null;
  #cleared = false;

  constructor(options: CommandTurnOptions) {
    this.#options = options;
    const { environment, outgoing, invocation, attempt, departure } = options;
    this.#run = new HandlerRun(
      { environment, outgoing, invocation, attempt, departure, state: this.#access() },
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

  #access(): StateAccess {
    const { service, key, snapshot } = this.#options;
    return {
      get: () => {
        this.#draft ??= { value: draftOf(service, key, this.#cleared ? absent : snapshot) };
        return this.#draft.value;
      },
      set: (value) => {
        this.#draft = { value };
      },
      clear: () => {
        this.#cleared = true;
        this.#draft = null;
      },
    };
  }

  #finish({ kind, reply }: Settled): TurnResult {
    if (kind === "error") return { reply, state: undefined, record: null, changed: false };
    try {
      const state = kind === "value" ? this.#state() : undefined;
      const record = this.#record(reply);
      return { reply, state, record, changed: state !== undefined || record !== null };
    } catch (error) {
      return { reply: this.#run.failureOf(error), state: undefined, record: null, changed: false };
    }
  }

  /** The state that the handler left, or undefined when that is the state it found. */
  #state(): string | null | undefined {
    const { service, key, snapshot, environment } = this.#options;
    if (this.#draft === null) return this.#cleared && snapshot.text !== null ? null : undefined;
    const subject = `the state of ${nameOfEntity(service.interface.name, key)}`;
    const text = encodeJson(this.#draft.value, subject, environment.limits.stateBytesMax);
    if (this.#cleared && text === initialText(service, key)) return snapshot.text === null ? undefined : null;
    // An entity without a row that was only looked at, or set to what it is, stays without a row.
    return text === (snapshot.text ?? initialText(service, key)) ? undefined : text;
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
