/**
 * Calls to other nodes: from an invocation to a call on a link, and from what came back to what it means for
 * the call: a reply, "go there instead", or lost on the way.
 */
import { lighterOfTwo } from "../core/load/choice.ts";
import { CallerSession } from "../core/sessions/caller.ts";
import { SynodError, toSynodError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { Random } from "../ports/random.ts";
import type { Member } from "../ports/store.ts";
import { hashParts } from "../values/hash.ts";
import { derivedRecordId, isSessionRecordId, sessionRecordId } from "../values/ids.ts";
import { ranks } from "../values/priority.ts";
import type { CallBody, MovedHint, ReplyBody } from "../wire/frames.ts";
import { type CommandId, type Invocation, nameOfTarget } from "./invocation.ts";
import type { Links } from "./links/links.ts";
import { PeerConduct } from "./peer-conduct.ts";
import { declared, failed, failure, succeeded, withOutcome, withThrown } from "./replies.ts";
import { incarnationOf, nodeSessionName } from "./session-names.ts";

/** Open calls that every call of the session names besides its floor. */
const openLengthMax = 8;
/** How long a notice may take; it is only a hint. */
const noticeTimeoutMs = 1_000;

/** The service name of what nodes tell each other; a user's service cannot have it. */
export const clusterService = "$cluster";

/** How a call is refused whose caller is no member any more. */
export const endedCallerCode = "aborted";

/** What nodes tell each other. */
export const releasedOperation = "released";
export const operateOperation = "operate";
/** How long the owner of a durable command may take to do what an operator wants, ms. */
const operateTimeoutMs = 10_000;

const releasedNotice: CallBody = {
  service: clusterService,
  key: undefined,
  operation: releasedOperation,
  epoch: undefined,
  identity: undefined,
  command: undefined,
  request: "",
  principal: "",
  traceparent: undefined,
  input: undefined,
};

export type PeerAnswer =
  | { readonly kind: "reply"; readonly reply: GatewayReply }
  | { readonly kind: "moved"; readonly hint: MovedHint }
  /** No answer. `certain`: the call certainly did nothing. `cut`: its link was lost while the call was on it. */
  | { readonly kind: "lost"; readonly certain: boolean; readonly cut: boolean; readonly error: SynodError };

export class PeerCalls {
  /** Null for a node that has no network. */
  readonly #links: Links | null;
  readonly #clock: Clock;
  #session = new CallerSession({ openLengthMax });
  #sessionName = "";
  /** This node's own, of its earlier incarnations. */
  readonly #endedSessions = new Set<string>();
  readonly conduct: PeerConduct;

  constructor(links: Links | null, clock: Clock) {
    this.#links = links;
    this.#clock = clock;
    this.conduct = new PeerConduct(clock);
  }

  /** A new incarnation starts a new session; the calls of the old one are settled by its end. */
  identify(incarnation: number): void {
    this.#endedSessions.add(this.#sessionName);
    this.#session = new CallerSession({ openLengthMax });
    this.#sessionName = nodeSessionName(incarnation);
  }

  /** An id for a command that has none, so that it can be repeated when an answer is lost. */
  openId(input: string | undefined): CommandId {
    const session = this.#sessionName;
    const number = this.#session.open();
    let inputHash: string | undefined;
    return {
      hash: sessionRecordId(session, number),
      // Who executes it hashes what arrived, so that it is asked for only where the call stays on this node after all.
      get inputHash() {
        inputHash ??= hashParts(input ?? "");
        return inputHash;
      },
      keyTime: null,
      call: { session, number },
    };
  }

  /** The command will not be repeated any more. */
  settle({ call }: CommandId): void {
    if (call?.session === this.#sessionName) this.#session.settle(call.number);
  }

  /** Whether the id can still be used: the session that it belongs to has not ended. That of a shard never does. */
  isCurrent({ call }: CommandId): boolean {
    return call === undefined || call.session === this.#sessionName || incarnationOf(call.session) === null;
  }

  /** Whether the id belongs to a session of this node that has ended: nobody may use it any more. */
  hasEnded({ call }: CommandId): boolean {
    return call !== undefined && this.#endedSessions.has(call.session);
  }

  /** Floor of the own session, for an id that stays on this node. */
  floorOf({ call }: CommandId): { readonly floor: number; readonly open: readonly number[] } | undefined {
    return call?.session === this.#sessionName ? this.#session.floor() : undefined;
  }

  /** Whether what was lost may be sent again to that node, now. */
  mayRepeat(to: number): boolean {
    return this.conduct.mayRepeat(to);
  }

  /** Of two of these members that answer calls of this service, or may again, the one with less to do. */
  lighter(members: readonly Member[], service: string, random: Random): Member | undefined {
    const mayTry = ({ incarnation }: Member): boolean => this.conduct.mayTry(incarnation, service);
    // Nearly always all of them answer, and nobody has to be left out.
    const left = members.every(mayTry) ? members : members.filter(mayTry);
    return lighterOfTwo(
      left,
      (member) => this.loadOf(member),
      () => random.number(),
    );
  }

  /** Whether one of these members that answer calls of this service, or may again, has so many calls at the most. */
  someHasAtMost(calls: number, members: readonly Member[], service: string): boolean {
    return members.some((member) => this.loadOf(member) <= calls && this.conduct.mayTry(member.incarnation, service));
  }

  /** What a member has to do, as far as is known; infinite where it cannot be reached. */
  loadOf({ incarnation }: Member): number {
    return this.#links?.loadOf(incarnation) ?? Number.POSITIVE_INFINITY;
  }

  async call(to: number, invocation: Invocation, epoch: number | undefined): Promise<PeerAnswer> {
    const { deadline, signal } = invocation;
    if (this.#links === null) {
      const error = new SynodError("unavailable", "this node has no links to others");
      return { kind: "lost", certain: true, cut: false, error };
    }
    const passage = this.conduct.passage(to, invocation.target.service.interface.name);
    if (passage === undefined) return notAnswering(invocation);
    const { breaker, budget } = passage;
    const { answers } = breaker;
    try {
      const body = this.#body(invocation, epoch);
      const reply = await this.#links.call(to, { body, deadline, priority: invocation.rank, signal });
      breaker.answered();
      budget.answered();
      return answerOf(invocation, reply);
    } catch (thrown) {
      const error = toSynodError(thrown);
      const unanswered = error.outcome === "unknown" && error.code !== "cancelled";
      if (unanswered) breaker.unanswered(answers, this.#clock.monotonic());
      else breaker.withdrawn();
      return lostOf(invocation, error);
    }
  }

  async tellReleasedToAll(members: readonly Member[]): Promise<void> {
    const others = members.filter(({ incarnation }) => nodeSessionName(incarnation) !== this.#sessionName);
    await Promise.all(others.map(({ incarnation }) => this.tellReleased(incarnation)));
  }

  /** Tells a node that shards were released for it. Its next heartbeat says so too. */
  async tellReleased(to: number): Promise<void> {
    const deadline = this.#clock.monotonic() + noticeTimeoutMs;
    try {
      await this.#links?.call(to, { body: releasedNotice, deadline, priority: ranks.cluster });
    } catch {
      // The heartbeat will do.
    }
  }

  /** Has the owner of a durable command do what an operator wants with it. */
  async operate(to: number, input: string): Promise<GatewayReply> {
    if (this.#links === null) return failure("unavailable", "this node has no links to others");
    const deadline = this.#clock.monotonic() + operateTimeoutMs;
    const body = { ...releasedNotice, operation: operateOperation, input };
    try {
      const reply = await this.#links.call(to, { body, deadline, priority: ranks.cluster });
      if (reply.kind === "ok") return succeeded(undefined);
      if (reply.kind !== "status") return failure("unavailable", "the owner has changed", { retryAfterMs: 1_000 });
      return failure(reply.code, reply.message, { outcome: reply.outcome, retryable: reply.retryable });
    } catch (error) {
      return failed(toSynodError(error));
    }
  }

  #body(
    { target, input, requestId, principal, caller, id, traceparent, waitFor, existing }: Invocation,
    epoch: number | undefined,
  ): CallBody {
    const floor = id === null ? undefined : (id.floor ?? this.floorOf(id));
    return {
      service: target.service.interface.name,
      key: target.key ?? undefined,
      operation: target.name,
      epoch,
      identity: id?.call === undefined || floor === undefined ? undefined : { ...id.call, ...floor },
      command: id === null ? undefined : commandOf(id),
      request: requestId,
      principal,
      ...(caller === principal ? {} : { caller }),
      traceparent,
      input: existing ? id!.inputHash : input,
      ...(waitFor === undefined ? {} : { waitFor }),
      ...(existing === undefined ? {} : { existing }),
    };
  }
}

/** What a call says of its id besides the number of a session: all, or what tells the calls of one number apart. */
function commandOf({ hash, keyTime, call }: CommandId): CallBody["command"] {
  if (call === undefined) return { id: hash, keyTime };
  if (isSessionRecordId(hash, call.session)) return undefined;
  const own = derivedRecordId(call.session, call.number, "");
  return hash.startsWith(own) ? { id: hash.slice(own.length), keyTime: null } : undefined;
}

function answerOf({ target }: Invocation, body: ReplyBody): PeerAnswer {
  switch (body.kind) {
    case "moved":
      return { kind: "moved", hint: body };
    case "ok":
      return { kind: "reply", reply: { ...succeeded(body.output), replayed: body.replayed } };
    case "declared":
      return { kind: "reply", reply: { ...declared(body.code, body.message, body.data), replayed: body.replayed } };
    case "status": {
      const { code, message, outcome, retryable, retryAfterMs } = body;
      const data: unknown = body.data === undefined ? undefined : JSON.parse(body.data);
      const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
      const error = new SynodError(code, message, { outcome, retryable, data, ...hint });
      // This node is no member any more and will find out: as another incarnation it may call again.
      if (code === endedCallerCode) {
        const ended = new SynodError("unavailable", message, { retryAfterMs: 100 });
        return { kind: "lost", certain: true, cut: false, error: ended };
      }
      // A keyed command of unknown outcome was lost with its entity, as if the link had been cut.
      const lost = code === "unavailable" && outcome === "unknown" && retryable && target.key !== null;
      if (lost) return { kind: "lost", certain: false, cut: false, error };
      const thrown = (data as { readonly thrown?: unknown } | undefined)?.thrown;
      const reply = failed(error);
      return { kind: "reply", reply: typeof thrown === "string" ? withThrown(reply, thrown) : reply };
    }
  }
}

/** The call is not sent into a hole: it certainly did not happen, and there may be another way while there is time. */
function notAnswering({ target }: Invocation): PeerAnswer {
  const message = `${nameOfTarget(target)}: the node that it should go to gives no answers`;
  return {
    kind: "lost",
    certain: true,
    cut: false,
    error: new SynodError("unavailable", message, { retryAfterMs: 250 }),
  };
}

/** Nobody waits any more, or the call cannot be carried: that is the answer. Otherwise another try may help. */
function lostOf({ target }: Invocation, error: SynodError): PeerAnswer {
  const cut = error.outcome === "unknown";
  // A query has no effect, however far it came.
  const certain = !cut || target.operation.kind === "query";
  if (error.code === "unavailable") return { kind: "lost", certain, cut, error };
  return { kind: "reply", reply: withOutcome(failed(error), certain ? "not-happened" : "unknown") };
}
