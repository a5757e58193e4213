/** Calls as the runtime makes and gets them over links. */
import type { CallFailure, OutboundCall } from "../../core/link/messages.ts";
import { SynodError } from "../../errors.ts";
import { Gone, type GoneSignal } from "../../values/gone.ts";
import { utf8Bytes } from "../../wire/bytes.ts";
import { checkCall } from "../../wire/calls.ts";
import type { CallBody, CallFrame, ReplyBody } from "../../wire/frames.ts";
import { traceparentBytesMax } from "../../wire/limits.ts";

/** A call to another node. */
export interface LinkRequest {
  readonly body: CallBody;
  /** Instant of the monotonic clock after which nobody waits. */
  readonly deadline: number;
  /** 0 goes first, 4 last. */
  readonly priority: number;
  /** Fires when nobody waits any more. */
  readonly signal?: GoneSignal | undefined;
}

/** Who is at the other end of a link. */
export interface LinkPeerIdentity {
  readonly node: string;
  readonly incarnation: number;
}

/** An outgoing call until it is settled. */
export class PendingCall implements OutboundCall {
  readonly body: CallBody;
  readonly deadline: number;
  readonly priority: number;
  readonly bytes: number;
  readonly reply: Promise<ReplyBody>;
  readonly #resolvers: PromiseWithResolvers<ReplyBody>;
  #release: (() => void) | undefined;

  /** Throws a `SynodError` for a call that no link can carry. */
  constructor({ body, deadline, priority }: LinkRequest) {
    this.body = carried(body);
    checkCall(this.body);
    this.deadline = deadline;
    this.priority = priority;
    this.bytes = body.input === undefined ? 0 : utf8Bytes(body.input);
    this.#resolvers = Promise.withResolvers();
    this.reply = this.#resolvers.promise;
  }

  /** Calls `cancel` when the signal fires while the call is not settled. */
  watch(signal: GoneSignal, cancel: () => void): void {
    signal.addEventListener("abort", cancel);
    this.#release = () => signal.removeEventListener("abort", cancel);
  }

  settle(body: ReplyBody): void {
    this.#release?.();
    this.#resolvers.resolve(body);
  }

  fail({ code, sent, message }: CallFailure, retryAfterMs?: number): void {
    this.#release?.();
    const outcome = sent ? "unknown" : "not-happened";
    this.#resolvers.reject(
      new SynodError(code, message, { outcome, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }),
    );
  }
}

/** Work of days does not fail for those who watch it: a trace context that no link carries is left out. */
function carried(body: CallBody): CallBody {
  if (body.traceparent === undefined || utf8Bytes(body.traceparent) <= traceparentBytesMax) return body;
  return { ...body, traceparent: undefined };
}

/** A call from another node, to be answered exactly once. */
export class InboundCall {
  /** Who is at the other end of the link; the incarnation is the one that dialled it. */
  readonly from: LinkPeerIdentity;
  /** The caller's incarnation when it made the call. */
  readonly incarnation: number;
  readonly body: CallBody;
  /** 0 goes first. */
  readonly priority: number;
  /** Instant of this node's monotonic clock after which nobody waits. */
  readonly deadline: number;
  readonly #gone: Gone = new Gone();

  constructor(from: LinkPeerIdentity, frame: CallFrame, deadline: number) {
    this.from = from;
    this.incarnation = frame.incarnation;
    this.body = frame.body;
    this.priority = frame.priority;
    this.deadline = deadline;
  }

  /** Fires when the caller gave up or its link closed. */
  get signal(): GoneSignal {
    return this.#gone;
  }

  withdraw(): void {
    this.#gone.abort();
  }
}
