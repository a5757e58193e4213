/**
 * The calls that wait for a node: by rank, and within a rank one of each caller in turn, so that a caller who sends
 * a thousand waits behind his own calls and not in front of everybody else's. Like a bakery in which people queue by
 * family: whoever comes with ten children is served once per round.
 */
import { type Rank, rankMax } from "../../values/priority.ts";

export interface WaitingCall {
  readonly rank: Rank;
  /** Whose call it is: callers take turns. */
  readonly caller: string;
  /** The instant after which nobody waits for the answer. */
  readonly deadline: number;
  /** Since when it waits. */
  readonly queuedAt: number;
  /** False once it was taken out. */
  waiting: boolean;
}

/** The calls of one caller in one rank, first come, first served. */
interface Line<C> {
  calls: C[];
  /** Everything before it was taken out. */
  head: number;
  length: number;
}

interface Lane<C> {
  /** In the order of their turns. */
  readonly lines: Map<string, Line<C>>;
  length: number;
}

export class LoadQueue<C extends WaitingCall> {
  readonly #lanes: readonly Lane<C>[] = Array.from({ length: rankMax + 1 }, () => ({ lines: new Map(), length: 0 }));
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(call: C): void {
    const lane = this.#lanes[call.rank]!;
    let line = lane.lines.get(call.caller);
    if (line === undefined) {
      line = { calls: [], head: 0, length: 0 };
      lane.lines.set(call.caller, line);
    }
    line.calls.push(call);
    line.length += 1;
    lane.length += 1;
    this.#length += 1;
  }

  /** Takes out the one that goes next. */
  take(): C | undefined {
    const lane = this.#lanes.find(({ length }) => length > 0);
    if (lane === undefined) return undefined;
    const [caller, line] = lane.lines.entries().next().value!;
    const call = first(line)!;
    this.remove(call);
    // Its caller's next one has to wait until all others had their turn.
    if (lane.lines.delete(caller) && line.length > 0) lane.lines.set(caller, line);
    return call;
  }

  remove(call: C): void {
    if (!call.waiting) return;
    call.waiting = false;
    const lane = this.#lanes[call.rank]!;
    const line = lane.lines.get(call.caller)!;
    line.length -= 1;
    lane.length -= 1;
    this.#length -= 1;
    if (line.length === 0) lane.lines.delete(call.caller);
    else if (line.calls.length > 2 * line.length + 16) {
      line.calls = line.calls.filter(({ waiting }) => waiting);
      line.head = 0;
    }
  }

  /** How many calls would be served before another one of this rank and caller. */
  ahead(rank: Rank, caller: string): number {
    let before = 0;
    for (let lane = 0; lane < rank; lane++) before += this.#lanes[lane]!.length;
    const { lines, length } = this.#lanes[rank]!;
    const own = lines.get(caller)?.length ?? 0;
    return before + Math.min(length, (own + 1) * lines.size);
  }

  /**
   * How long the next call of this rank has waited, ms, where calls of an earlier rank wait, too: those that come meanwhile go before it,
   * so that what is ahead of it now says little. 0 otherwise.
   */
  overtakenMs(rank: Rank, now: number): number {
    const { lines, length } = this.#lanes[rank]!;
    if (length === 0 || !this.#lanes.some((lane, earlier) => earlier < rank && lane.length > 0)) return 0;
    return now - first(lines.values().next().value!)!.queuedAt;
  }

  /**
   * Of a rank that goes later than this one, the last call of whoever has the most; or, within the rank, of
   * a caller who has more than this one and would still have. Undefined if nobody has to make room for it.
   */
  displaceable(rank: Rank, caller: string): C | undefined {
    for (let later: number = rankMax; later > rank; later--) {
      const longest = longestLine(this.#lanes[later]!);
      if (longest !== undefined) return last(longest);
    }
    const lane = this.#lanes[rank]!;
    const longest = longestLine(lane);
    const own = lane.lines.get(caller)?.length ?? 0;
    return longest !== undefined && longest.length > own + 1 ? last(longest) : undefined;
  }

  /** Takes out everything whose deadline has passed. */
  takeExpired(now: number): readonly C[] {
    const expired: C[] = [];
    for (const { lines } of this.#lanes) {
      for (const { calls } of lines.values()) {
        for (const call of calls) if (call.waiting && call.deadline <= now) expired.push(call);
      }
    }
    for (const call of expired) this.remove(call);
    return expired;
  }
}

function first<C extends WaitingCall>(line: Line<C>): C | undefined {
  while (line.head < line.calls.length && !line.calls[line.head]!.waiting) line.head += 1;
  return line.calls[line.head];
}

function last<C extends WaitingCall>({ calls }: Line<C>): C | undefined {
  return calls.findLast(({ waiting }) => waiting);
}

function longestLine<C>({ lines }: Lane<C>): Line<C> | undefined {
  let longest: Line<C> | undefined;
  for (const line of lines.values()) if (longest === undefined || line.length > longest.length) longest = line;
  return longest;
}
