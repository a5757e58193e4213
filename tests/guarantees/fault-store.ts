/**
 * A store with faults: every call may be stopped on its way to the real store, or its answer on the way back.
 * It keeps the port's contract: what it rejects is unknown, what it answers is the truth of the store behind.
 */
import { SynodError } from "../../src/errors.ts";
import type { CommitBatch, CommitResult, Store, StoreIdentity } from "../../src/ports/store.ts";

type Method = Exclude<keyof Store, "identity" | "commitLanes">;
type Request<Name extends Method> = Parameters<Store[Name]>[0];
type Answer<Name extends Method> = Awaited<ReturnType<Store[Name]>>;
type Interceptor<Name extends Method> = (
  request: Request<Name>,
  forward: () => Promise<Answer<Name>>,
) => Promise<Answer<Name>>;

/** Calls that are stopped, until they are let go. */
export interface Hold {
  /** How many calls stand here now. */
  readonly waiting: number;
  /** Lets those go that stand here, and all that come. */
  release(): void;
}

/** The commit that a call of {@link FaultStore.commitsOnce} meets. */
export type CommitFault = (batch: CommitBatch, forward: () => Promise<CommitResult>) => Promise<CommitResult>;

const connectionLost = (): SynodError => new SynodError("unavailable", "the connection to the store was lost");

/** The request never arrives: nothing is applied, and the caller cannot know. */
export const requestLost: CommitFault = () => Promise.reject(connectionLost());

/** The request is applied, and the answer never arrives. */
export const answerLost: CommitFault = async (_batch, forward) => {
  await forward();
  throw connectionLost();
};

/** The store says that it cannot write now. */
export const storeFull: CommitFault = async () => ({
  status: "failed",
  error: new SynodError("unavailable", "the disk is full"),
});

/** An I/O error at commit, after the write reached the disk: the store does not know it. */
export const brokenAfterWriting: CommitFault = async (_batch, forward) => {
  await forward();
  return { status: "broken", error: new SynodError("unavailable", "input/output error", { outcome: "unknown" }) };
};

/** The store takes no batch with one of these keys in it. */
export function refuses(...keys: string[]): CommitFault {
  return async (batch, forward) => {
    const refused = batch.shards.some(({ entities }) => entities.some(({ key }) => keys.includes(key)));
    if (!refused) return forward();
    return { status: "refused", error: new SynodError("invalid_argument", "too big for a row") };
  };
}

export class FaultStore implements Store {
  readonly identity: StoreIdentity;
  readonly commitLanes: number;
  /** Every batch that was answered by the real store, in order, with its answer. */
  readonly commits: { readonly batch: CommitBatch; readonly result: CommitResult }[] = [];
  readonly #store: Store;
  readonly #interceptors = new Map<Method, Interceptor<never>[]>();
  readonly #counts = new Map<Method, number>();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(store: Store) {
    this.#store = store;
    this.identity = store.identity;
    this.commitLanes = store.commitLanes ?? 1;
  }

  /** Whether the real store still works on something. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Waits until the real store has answered what it works on now. */
  async quiet(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** How often a method was called. */
  count(method: Method): number {
    return this.#counts.get(method) ?? 0;
  }

  /** Puts `interceptor` in front of the real store; the last one set meets a call first. Returns the way back. */
  intercept<Name extends Method>(method: Name, interceptor: Interceptor<Name>): () => void {
    const own = interceptor as Interceptor<never>;
    const others = this.#interceptors.get(method) ?? [];
    this.#interceptors.set(method, [own, ...others]);
    return () => {
      const left = (this.#interceptors.get(method) ?? []).filter((other) => other !== own);
      this.#interceptors.set(method, left);
    };
  }

  /** These faults meet the next commits, one each. */
  commitsOnce(...faults: readonly CommitFault[]): void {
    const rest = [...faults];
    const undo = this.intercept("commit", (batch, forward) => {
      const fault = rest.shift()!;
      if (rest.length === 0) undo();
      return fault(batch, forward);
    });
  }

  /** Stops calls before they reach the store, or (`answers`) what it answered on the way back. */
  hold(method: Method, where: "requests" | "answers" = "requests"): Hold {
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    const wait = async (): Promise<void> => {
      waiting += 1;
      await gate.promise;
      waiting -= 1;
    };
    const undo = this.intercept(method, async (_request, forward) => {
      if (where === "requests") await wait();
      const answer = await forward();
      if (where === "answers") await wait();
      return answer;
    });
    return {
      get waiting() {
        return waiting;
      },
      release: () => {
        undo();
        gate.resolve();
      },
    };
  }

  /** Every call of the method is lost on its way to the store. Returns the way back. */
  cut(method: Method): () => void {
    return this.intercept(method, () => Promise.reject(connectionLost()));
  }

  join: Store["join"] = (request) => this.#ask("join", request);
  renew: Store["renew"] = (request) => this.#ask("renew", request);
  claim: Store["claim"] = (request) => this.#ask("claim", request);
  release: Store["release"] = (request) => this.#ask("release", request);
  endLease: Store["endLease"] = (request) => this.#ask("endLease", request);
  view: Store["view"] = () => this.#ask("view", undefined);
  read: Store["read"] = (reads) => this.#ask("read", reads);
  commit: Store["commit"] = (batch) => this.#ask("commit", batch);
  trim: Store["trim"] = (request) => this.#ask("trim", request);
  close: Store["close"] = () => this.#store.close();

  #ask<Name extends Method>(method: Name, request: Request<Name>): Promise<Answer<Name>> {
    this.#counts.set(method, this.count(method) + 1);
    const interceptors = (this.#interceptors.get(method) ?? []) as unknown as Interceptor<Name>[];
    const forward = interceptors.reduceRight<() => Promise<Answer<Name>>>(
      (next, interceptor) => () => interceptor(request, next),
      () => this.#forward(method, request),
    );
    return forward();
  }

  async #forward<Name extends Method>(method: Name, request: Request<Name>): Promise<Answer<Name>> {
    const ask = this.#store[method] as (this: Store, request: Request<Name>) => Promise<Answer<Name>>;
    const asked = ask.call(this.#store, request);
    this.#underWay.add(asked);
    try {
      const answer = await asked;
      if (method === "commit") this.commits.push({ batch: request as CommitBatch, result: answer as CommitResult });
      return answer;
    } finally {
      this.#underWay.delete(asked);
    }
  }
}
