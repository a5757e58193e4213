/**
 * Faults: a plan of them for a seed, and what each does to the cluster. A plan is a plain list, so that a failing run
 * can be tried again with fewer of them.
 *
 * Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each seed leaves some kinds of faults out entirely,
 * because faults hide each other; a quarter of the time nothing happens at all.
 */
import { invariant } from "../errors.ts";
import { chance, type Prng, pick } from "../values/prng.ts";
import { buildOf, isAskedToLeave } from "./builds.ts";
import type { Cluster } from "./cluster.ts";
import type { Process } from "./world/process.ts";
import type { StoreKind } from "./world/store.ts";
import { between } from "./world/world.ts";

export const faultKinds = [
  "crash",
  "powerLoss",
  "pause",
  "suspend",
  "slow",
  "isolate",
  "halves",
  "oneWay",
  "ring",
  "cut",
  "halfCut",
  "lateDuplicate",
  "clockRate",
  "clockJump",
  "storeCutOff",
  "storeRestart",
  "storeLock",
  "storeSlow",
  "drain",
  "leave",
  "lethalCommand",
  "vanish",
  "slowLinks",
  "storeOneWay",
  "storeFailover",
  "upgrade",
  "newCode",
  "outage",
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** What happens where a system has several hosts and its store is a server. */
const hostKinds: ReadonlySet<FaultKind> = new Set(["vanish", "slowLinks", "storeOneWay", "storeFailover"]);
/** What is planned apart: it wants a release to change to, durable commands, or a window shorter than a run. */
const plannedApart: ReadonlySet<FaultKind> = new Set(["upgrade", "newCode", "outage"]);
/** What happens to any system. */
const commonKinds = faultKinds.filter((kind) => !plannedApart.has(kind) && !hostKinds.has(kind));
const kindsByStore: Readonly<Record<StoreKind, readonly FaultKind[]>> = {
  file: commonKinds,
  server: [...commonKinds, ...hostKinds],
};

export interface Fault {
  readonly kind: FaultKind;
  /** When it begins, ms after the nodes first served, and how long it lasts. */
  readonly at: number;
  readonly lastsMs: number;
  /** The machines that it is about, in an order that the kind gives a meaning to. */
  readonly nodes: readonly string[];
  /** How much: a rate, a cost, a jump; by kind. */
  readonly amount: number;
}

/** No clock is further off than this; the bound of docs/guarantees.md is 0.1. */
const clockRateOffMax = 0.05;

/** In a smaller ring everybody is everybody's neighbour. */
const ringNodesMin = 4;
/** Of the time in which bytes of a late duplicate stay on the way: when their sender loses the connection at the latest. */
const lateShareMax = 0.8;

/** How many of the kinds a seed has: few, so that each comes often, or many, so that they meet. */
const kindsShares = [0.15, 0.4] as const;

/** A plan for a run in which faults happen for `durationMs`. */
export function planFaults(
  prng: Prng,
  nodes: readonly string[],
  durationMs: number,
  store: StoreKind = "file",
): readonly Fault[] {
  const share = pick(prng, kindsShares);
  const drawn = kindsByStore[store].filter(() => chance(prng, share));
  const kinds = drawn.filter((kind) => kind !== "ring" || nodes.length >= ringNodesMin);
  const faults: Fault[] = [];
  if (kinds.length === 0) return faults;
  const meanGapMs = pick(prng, [700, 2_000, 5_000]);
  const quiet = drawQuiet(prng, durationMs);
  for (let at = gap(prng, meanGapMs); at < durationMs; at += gap(prng, meanGapMs)) {
    const fault = bearable(drawFault(prng, pick(prng, kinds), nodes, at), kinds);
    const next = quiet.find(({ to }) => at < to);
    if (next === undefined) faults.push(fault);
    else if (at < next.from) faults.push(endedBy(fault, Math.round(next.from - at)));
  }
  return faults;
}

/** Between the restarts of two nodes onto the newer release, ms: old and new code work together in between. */
const upgradeGapMinMs = 300;
const upgradeGapMaxMs = 6_000;

/** A rolling upgrade: every node once, one after the other, somewhere in the time for faults. */
export function planUpgrade(prng: Prng, nodes: readonly string[], durationMs: number): readonly Fault[] {
  const gapMaxMs = Math.min(upgradeGapMaxMs, durationMs / (nodes.length + 1));
  let at = between(prng, 0, durationMs / (nodes.length + 1));
  return shuffled(prng, nodes).map((name) => {
    const drainMs = Math.round(between(prng, 500, 5_000));
    const fault: Fault = { kind: "upgrade", at: Math.round(at), lastsMs: 0, nodes: [name], amount: drainMs };
    at += between(prng, Math.min(upgradeGapMinMs, gapMaxMs), gapMaxMs);
    return fault;
  });
}

/** A quarter of the time, in two parts, in which nothing is wrong and what was broken can come back. */
function drawQuiet(prng: Prng, durationMs: number): readonly { readonly from: number; readonly to: number }[] {
  return [0, durationMs / 2].map((start) => {
    const from = start + between(prng, 0, (durationMs * 3) / 8);
    return { from, to: from + durationMs / 8 };
  });
}

/**
 * A machine that sleeps is found out by its wall clock alone. Where machines sleep, nobody sets that one back: two
 * wrong clocks at once are beyond what reads from memory stand on (docs/guarantees.md).
 */
function bearable(fault: Fault, kinds: readonly FaultKind[]): Fault {
  if (fault.kind !== "clockJump" || !kinds.includes("suspend")) return fault;
  return { ...fault, amount: Math.abs(fault.amount) };
}

/** The same, over after so long at the latest. */
function endedBy(fault: Fault, lastsMaxMs: number): Fault {
  const lastsMs = Math.min(fault.lastsMs, lastsMaxMs);
  // What arrives before its sender has lost the connection is not late.
  const amount = fault.kind === "lateDuplicate" ? Math.min(fault.amount, lastsMs * lateShareMax) : fault.amount;
  return { ...fault, lastsMs, amount };
}

function gap(prng: Prng, meanMs: number): number {
  return -Math.log(1 - prng.number()) * meanMs;
}

/** How long each lasts at least and at the most, ms. */
const lasts: Readonly<Record<FaultKind, readonly [number, number]>> = {
  crash: [50, 1_000],
  powerLoss: [100, 8_000],
  pause: [2_000, 20_000],
  suspend: [500, 20_000],
  slow: [500, 8_000],
  isolate: [100, 8_000],
  halves: [100, 8_000],
  oneWay: [100, 8_000],
  ring: [100, 6_000],
  cut: [0, 0],
  halfCut: [0, 0],
  lateDuplicate: [300, 2_500],
  clockRate: [5_000, 60_000],
  clockJump: [0, 0],
  storeCutOff: [100, 8_000],
  storeRestart: [50, 3_000],
  storeLock: [50, 5_000],
  storeSlow: [500, 5_000],
  drain: [0, 0],
  leave: [500, 20_000],
  lethalCommand: [2_000, 10_000],
  vanish: [100, 10_000],
  slowLinks: [500, 8_000],
  storeOneWay: [100, 8_000],
  storeFailover: [200, 5_000],
  upgrade: [0, 0],
  newCode: [0, 0],
  outage: [0, 0],
};

function drawFault(prng: Prng, kind: FaultKind, nodes: readonly string[], at: number): Fault {
  const order = shuffled(prng, nodes);
  const amounts: Record<FaultKind, number> = {
    crash: chance(prng, 0.7) ? 1 : 0,
    powerLoss: 0,
    pause: 0,
    suspend: 0,
    slow: between(prng, 0.05, 3),
    isolate: 0,
    halves: 1 + prng.below(Math.max(1, nodes.length - 1)),
    oneWay: 0,
    ring: 0,
    cut: 0,
    halfCut: 0,
    lateDuplicate: between(prng, 50, 600),
    clockRate: 1 + between(prng, -clockRateOffMax, clockRateOffMax),
    clockJump: between(prng, -1, 1) * pick(prng, [100, 3_000, 600_000]),
    storeCutOff: 0,
    storeRestart: 0,
    storeLock: 0,
    storeSlow: between(prng, 20, 400),
    drain: between(prng, 500, 5_000),
    leave: between(prng, 500, 5_000),
    lethalCommand: 0,
    vanish: 0,
    slowLinks: kind === "slowLinks" ? between(prng, 20, 400) : 0,
    // Requests pass, or answers.
    storeOneWay: kind === "storeOneWay" ? prng.below(2) : 0,
    // The standby has all of the log, or lags.
    storeFailover: kind === "storeFailover" ? prng.below(2) : 0,
    upgrade: 0,
    newCode: 0,
    outage: 0,
  };
  const [min, max] = lasts[kind];
  // Most are short; enough of them last beyond every lease.
  const lastsMs = min + (max - min) * prng.number() ** pick(prng, [1, 2]);
  const fault = { kind, at: Math.round(at), lastsMs: Math.round(lastsMs), nodes: order, amount: amounts[kind] };
  return endedBy(fault, fault.lastsMs);
}

export function shuffled<T>(prng: Prng, list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(prng.below(rest.length), 1)[0]!);
}

/** What happens between two machines. */
const twoSided: ReadonlySet<FaultKind> = new Set(["oneWay", "cut", "halfCut", "lateDuplicate"]);

/** `pause node-3 at 17000 ms for 4200 ms`. */
export function describeFault({ kind, at, lastsMs, nodes, amount }: Fault): string {
  const many =
    kind === "halves" ? nodes.slice(0, amount).join(" ") : twoSided.has(kind) ? `${nodes[0]} ${nodes[1]}` : nodes[0];
  return `${kind} ${many}${amount === 0 ? "" : ` (${Math.round(amount * 1_000) / 1_000})`} at ${at} ms for ${lastsMs} ms`;
}

/** A fault that happened, from when to when, ms since the world began. */
export interface InjectedFault {
  readonly fault: Fault;
  readonly from: number;
  to: number;
}

/** Injects the faults of a plan into a cluster, and takes back what is left of them. */
export class FaultInjector {
  /** Of those that found something to do: the others test nothing. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  /** When each was really there. */
  readonly injected: InjectedFault[] = [];
  readonly #cluster: Cluster;
  readonly #open = new Set<() => void>();
  #over = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** From now on, each at its time. */
  schedule(plan: readonly Fault[]): void {
    const { world } = this.#cluster;
    for (const fault of plan) world.after(fault.at, () => this.#begin(fault));
  }

  /** Nothing is injected any more, and everything that lasts ends now. */
  end(): void {
    this.#over = true;
    for (const undo of [...this.#open]) undo();
    this.#cluster.repair();
  }

  #begin(fault: Fault): void {
    if (this.#over) return;
    const { world } = this.#cluster;
    this.#cluster.note(fault.kind, describeFault(fault));
    const take = effects[fault.kind](this.#cluster, fault);
    if (take === null) return this.#cluster.note(fault.kind, "finds nothing to do");
    this.counts[fault.kind] = (this.counts[fault.kind] ?? 0) + 1;
    const injected = { fault, from: world.now, to: world.now + fault.lastsMs };
    this.injected.push(injected);
    const undo = (): void => {
      if (!this.#open.delete(undo)) return;
      this.#cluster.note(fault.kind, "ends");
      injected.to = world.now;
      take();
    };
    this.#open.add(undo);
    world.after(fault.lastsMs, undo);
  }
}

/** Null when there was nothing to be done, and nothing was. */
type Effect = (cluster: Cluster, fault: Fault) => (() => void) | null;
const nothing = (): void => {};

const first = ({ nodes }: Fault): string => {
  const [name] = nodes;
  invariant(name !== undefined, "a fault is about a machine");
  return name;
};

/** The process of the machine that a fault is about, if there is one that lives. */
function victim(cluster: Cluster, fault: Fault): Process | null {
  const { process } = cluster.machine(first(fault));
  return process?.alive ? process : null;
}

/** What each kind does; returns what ends it. */
const effects: Readonly<Record<FaultKind, Effect>> = {
  crash: (cluster, fault) => {
    if (victim(cluster, fault) === null) return null;
    cluster.crash(first(fault), { supervised: fault.amount === 1, staysDown: true });
    return () => cluster.restart(first(fault));
  },
  powerLoss: (cluster, fault) => {
    if (victim(cluster, fault) === null) return null;
    cluster.crash(first(fault), { powerLost: true });
    return () => cluster.restart(first(fault));
  },
  pause: (cluster, fault) => {
    if (victim(cluster, fault) === null) return null;
    cluster.pause(first(fault));
    return () => cluster.resume(first(fault));
  },
  suspend: (cluster, fault) => {
    if (victim(cluster, fault) === null) return null;
    cluster.suspend(first(fault));
    return () => cluster.resume(first(fault));
  },
  slow: (cluster, fault) => {
    const process = victim(cluster, fault);
    if (process === null) return null;
    process.costMs = fault.amount;
    return () => {
      process.costMs = 0;
    };
  },
  isolate: (cluster, { nodes: [alone, ...others] }) => {
    return others.length === 0 ? null : cluster.partition([alone!], others);
  },
  halves: (cluster, { nodes, amount }) => {
    return amount >= nodes.length ? null : cluster.partition(nodes.slice(0, amount), nodes.slice(amount));
  },
  oneWay: (cluster, { nodes: [from, to] }) => (to === undefined ? null : cluster.hold(from!, to)),
  ring: (cluster, { nodes }) => {
    // Each machine keeps only its two neighbours.
    const undo: (() => void)[] = [];
    for (const [index, from] of nodes.entries()) {
      for (const [other, to] of nodes.entries()) {
        const apart = Math.abs(index - other);
        if (apart > 1 && apart < nodes.length - 1) undo.push(cluster.network.block(from, to));
      }
    }
    if (undo.length === 0) return null;
    return () => {
      for (const one of undo) one();
    };
  },
  cut: (cluster, { nodes: [a, b] }) => {
    return b !== undefined && cluster.network.cutConnections(a!, b) > 0 ? nothing : null;
  },
  halfCut: (cluster, { nodes: [a, b] }) => {
    return b !== undefined && cluster.network.cutConnections(a!, b, "one end") > 0 ? nothing : null;
  },
  lateDuplicate: (cluster, { nodes: [from, to], amount }) => {
    if (to === undefined) return null;
    const arrive = cluster.network.delayUntilLost(from!, to, amount);
    if (arrive === null) return null;
    const unblock = cluster.network.block(from!, to);
    return () => {
      unblock();
      arrive();
    };
  },
  clockRate: (cluster, fault) => {
    cluster.skew(first(fault), { rate: fault.amount });
    return () => cluster.skew(first(fault), { rate: 1 });
  },
  clockJump: (cluster, fault) => {
    cluster.skew(first(fault), { jumpMs: fault.amount });
    return nothing;
  },
  storeCutOff: (cluster, fault) => cluster.store.cutOff(first(fault)),
  storeRestart: (cluster) => {
    cluster.store.stop();
    return () => cluster.store.start();
  },
  storeLock: (cluster, fault) => {
    cluster.store.lock(fault.lastsMs);
    return nothing;
  },
  storeSlow: (cluster, fault) => {
    const { weather } = cluster.store;
    weather.writeMaxMs += fault.amount;
    return () => {
      weather.writeMaxMs -= fault.amount;
    };
  },
  drain: (cluster, fault) => {
    if (victim(cluster, fault) === null) return null;
    const machine = cluster.machine(first(fault));
    // It may be crashed while it drains: then the supervisor starts it all the same.
    void machine.stop(fault.amount);
    return nothing;
  },
  leave: (cluster, fault) => {
    const machine = cluster.machine(first(fault));
    machine.wanted = false;
    void machine.stop(fault.amount);
    return () => cluster.restart(first(fault));
  },
  lethalCommand: (cluster) => cluster.doomNextCommand(),
  vanish: (cluster, fault) => cluster.vanish(first(fault)),
  slowLinks: (cluster, fault) => cluster.slowLinks(first(fault), fault.amount),
  storeOneWay: (cluster, fault) => cluster.store.cutOff(first(fault), fault.amount === 0 ? "requests" : "answers"),
  storeFailover: (cluster, fault) => {
    cluster.store.losePrimary();
    return () => cluster.store.promote(fault.amount === 1);
  },
  upgrade: (cluster, fault) => {
    const machine = cluster.machine(first(fault));
    // Whoever is down comes back with the newer release.
    machine.upgraded = true;
    void machine.stop(fault.amount);
    return nothing;
  },
  newCode: (cluster, fault) => {
    const machine = cluster.machine(first(fault));
    machine.build = buildOf(fault.amount);
    if (!isAskedToLeave(fault.amount)) return cluster.crashInDurableCommand(machine);
    void machine.stop(fault.lastsMs);
    return nothing;
  },
  outage: (cluster, { nodes }) => {
    cluster.store.stop();
    for (const name of nodes) cluster.crash(name, { powerLost: true });
    // Whoever else is meant to start one of them again finds no store.
    const from = cluster.world.now;
    return () => {
      if (cluster.world.now - from > cluster.retentionMs) cluster.judge.reached.outage(cluster.database);
      cluster.store.start();
      for (const name of nodes) cluster.restart(name);
    };
  },
};
