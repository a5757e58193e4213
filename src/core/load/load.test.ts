import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Rank, ranks } from "../../values/priority.ts";
import { defaultLoadLimits, type LoadLimits } from "./limits.ts";
import { LoadControl } from "./load.ts";
import type { WaitingCall } from "./queue.ts";
import { Standing } from "./standing.ts";

interface Call extends WaitingCall {
  readonly name: string;
}

let made = 0;

function call({ now = 0, leftMs = 10_000, rank = ranks.normal as Rank, caller = "a" } = {}): Call {
  return { name: `${++made}`, rank, caller, deadline: now + leftMs, queuedAt: now, waiting: true };
}

/** A node whose handlers take 2 ms of the processor each, one after the other. */
class Node {
  now = 0;
  readonly load: LoadControl<Call>;
  readonly started: Call[] = [];
  readonly shed: { readonly call: Call; readonly reason: string }[] = [];

  constructor(limits: Partial<LoadLimits> = {}) {
    this.load = new LoadControl({ ...defaultLoadLimits, ...limits });
  }

  arrive(arrived: Call): string {
    if (this.load.startsAtOnce(arrived.rank, this.now)) {
      this.#run(arrived);
      return "start";
    }
    const arrival = this.load.arrive(arrived, this.now);
    if (arrival.kind === "shed") this.shed.push({ call: arrived, reason: arrival.reason });
    return arrival.kind;
  }

  /** One turn of the event loop. */
  turn(aroundMs = 0): void {
    this.load.turn(this.now, aroundMs);
    for (let next = this.load.next(this.now); next !== undefined; next = this.load.next(this.now)) {
      if (next.kind === "start") this.#run(next.call);
      else this.shed.push(next);
    }
    if (!this.load.due) this.load.rest();
  }

  #run(started: Call): void {
    this.started.push(started);
    this.now += 2;
    this.load.slots.release();
  }
}

describe("load control", () => {
  test("starts what it can at once, and for no longer than a slice of the turn", () => {
    const node = new Node();
    const kinds = Array.from({ length: 5 }, () => node.arrive(call()));
    assert.deepEqual(kinds, ["start", "start", "start", "start", "wait"], "a first one, and 5 ms");
    node.turn();
    assert.equal(node.started.length, 5);
  });

  test("gives handlers three times as long as the rest of the turn took, up to 50 ms", () => {
    const node = new Node();
    for (let index = 0; index < 60; index++) node.arrive(call({ leftMs: 100_000 }));
    const before = node.started.length;
    node.turn(10);
    assert.equal(node.started.length - before, 15, "30 ms");
    node.turn(1_000);
    assert.equal(node.started.length - before, 40, "50 ms more");
  });

  test("lets a burst wait for a part of the time that its callers have", () => {
    const node = new Node();
    for (let index = 0; index < 100; index++) node.arrive(call());
    node.turn();
    node.turn();
    assert.deepEqual(node.shed, []);
    for (const leftMs of [5, 60]) assert.equal(node.arrive(call({ now: node.now, leftMs })), "shed");
    const reasons = node.shed.map(({ reason }) => reason);
    assert.deepEqual(reasons, ["deadline", "queue"], "too late for the one, and all of the other's time");
  });

  test("turns away what comes while the queue stands, and lets it in again when it is short", () => {
    const node = new Node();
    for (let index = 0; index < 300; index++) node.arrive(call({ leftMs: 60_000 }));
    while (node.now < 300) node.turn();
    assert.ok(node.load.standing(node.now));
    assert.equal(node.arrive(call({ now: node.now, leftMs: 2_000 })), "shed");
    while (node.load.queued > 3) node.turn();
    assert.equal(node.arrive(call({ now: node.now, leftMs: 60_000 })), "wait", "there is little to wait for");
  });

  test("keeps the queue of a standing overload at about 50 ms", () => {
    const node = new Node();
    const waits: number[] = [];
    for (let at = 0; at < 3_000; at += 0.2) {
      if (at >= node.now) node.turn();
      const counted = node.started.length;
      node.arrive(call({ now: node.now, leftMs: 1_000 }));
      for (const { queuedAt } of node.started.slice(counted)) waits.push(node.now - queuedAt);
      if (node.started.length > 750) break;
    }
    assert.ok(node.load.queued * 2 < 100, `${node.load.queued} calls wait`);
    assert.ok(node.shed.length > 1_000);
  });

  test("a queue that stands does so until nobody was turned away for a while, though it was empty in between", () => {
    const standing = new Standing(200);
    standing.filled(0);
    assert.ok(!standing.at(199) && standing.at(200));
    for (let at = 250; at <= 450; at += 50) {
      standing.emptied(at);
      standing.refused(at + 2);
      standing.filled(at + 4);
      assert.ok(standing.at(at + 10));
    }
    standing.emptied(500);
    assert.ok(standing.at(651) && !standing.at(652));
    standing.filled(700);
    standing.emptied(710);
    standing.refused(720);
    assert.ok(!standing.at(730), "a burst that was too long for its callers");
  });

  test("foresees the wait of a queue whose calls start in bursts, with every commit", () => {
    const [burst, everyMs, untilMs] = [500, 200, 5_000];
    const node = new Node({ slotsFirst: burst });
    for (let index = 0; index < burst; index++) node.load.slots.take();
    const waits: number[] = [];
    let atOnce = 0;
    const turn = (now: number): void => {
      node.load.turn(now, 0);
      for (let next = node.load.next(now); next !== undefined; next = node.load.next(now)) {
        if (next.kind === "start") waits.push(now - next.call.queuedAt);
      }
      node.load.rest();
    };
    for (let step = 0; step * 0.2 < untilMs; step++) {
      const now = step * 0.2;
      if (step % (everyMs / 0.2) === 0) for (let index = 0; index < burst; index++) node.load.slots.release();
      if (node.load.due || node.load.sliceEnds) turn(now);
      if (node.load.startsAtOnce(ranks.normal, now)) atOnce++;
      else node.load.arrive(call({ now, leftMs: 1_000 }), now);
    }
    const served = (untilMs / everyMs) * burst;
    assert.ok(Math.max(...waits) < 400, `a call waited for ${Math.max(...waits)} ms of its second`);
    assert.ok(waits.length + atOnce > 0.95 * served, `${waits.length + atOnce} of ${served} started`);
    assert.ok(waits.length > 0.2 * served, `${waits.length} of those that started had waited`);
  });

  test("calls of an admitted chain start at once, whatever waits, and over every limit", () => {
    const node = new Node({ slotsFirst: 8 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    assert.equal(node.arrive(call()), "wait");
    assert.equal(node.load.startsAtOnce(ranks.chain, node.now), true);
    assert.equal(node.load.slots.taken, 9);
  });

  test("a hot caller is turned away while a light one gets in, and a critical call before both", () => {
    const node = new Node({ slotsFirst: 8 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    while (node.arrive(call({ caller: "hot", leftMs: 200 })) === "wait");
    assert.equal(node.arrive(call({ caller: "hot", leftMs: 200 })), "shed");
    assert.equal(node.arrive(call({ caller: "light", leftMs: 200 })), "wait");
    assert.equal(node.arrive(call({ caller: "hot", leftMs: 200, rank: ranks.critical })), "wait");
    for (let index = 0; index < 3; index++) node.load.slots.release();
    const started = () => {
      const next = node.load.next(node.now);
      return next?.kind === "start" ? `${next.call.caller} ${next.call.rank}` : undefined;
    };
    assert.deepEqual([started(), started(), started()], ["hot 2", "hot 3", "light 3"]);
  });

  test("a full queue makes room for what is more important, at the cost of what is least", () => {
    const node = new Node({ slotsFirst: 8, queueLengthMax: 2 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    const least = call({ rank: ranks.background, caller: "b" });
    node.arrive(call());
    node.arrive(least);
    const arrival = node.load.arrive(call({ caller: "c" }), 0);
    assert.deepEqual(arrival, { kind: "wait", displaced: least });
    assert.equal(node.load.queued, 2);
    assert.equal(node.arrive(call({ rank: ranks.background })), "shed");
  });

  test("what waited until its deadline is shed and never started", () => {
    const node = new Node({ slotsFirst: 8 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    const late = call({ leftMs: 50 });
    node.arrive(late);
    node.arrive(call());
    assert.deepEqual(node.load.expire(49), []);
    assert.deepEqual(node.load.expire(50), [late]);
    const later = call({ now: 100, leftMs: 30 });
    node.now = 100;
    node.arrive(later);
    node.load.slots.release();
    node.load.slots.release();
    node.now = 130;
    node.turn();
    assert.deepEqual(node.shed, [{ kind: "shed", call: later, reason: "deadline" }]);
    assert.equal(node.started.length, 1);
  });

  test("a call whose rank is overtaken all the while is turned away when it comes, and does not wait for its deadline", () => {
    const node = new Node();
    const expired: Call[] = [];
    const idle = { rank: ranks.background as Rank, leftMs: 4_000 };
    for (let at = 0; at < 12_000; at += 1) {
      if (at >= node.now) {
        node.now = at;
        node.turn();
      }
      node.arrive(call({ now: at, leftMs: 1_000 }));
      if (at % 10 === 0) node.arrive(call({ now: at, ...idle }));
      expired.push(...node.load.expire(at));
    }
    const refused = node.shed.filter((shed) => shed.call.rank === ranks.background).length;
    assert.ok(refused > 1_000, `${refused} of 1,200 were turned away`);
    assert.ok(expired.length < 100, `${expired.length} waited until their deadline`);
  });

  test("a call that waits while slots are free starts, however long calls once took", () => {
    const node = new Node({ slotsFirst: 8 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    for (let index = 0; index < 20; index++) node.arrive(call());
    for (; node.load.queued > 0; node.now += 200) {
      node.load.slots.release();
      node.load.turn(node.now, 0);
      node.load.next(node.now);
    }
    for (let index = 0; index < 8; index++) node.load.slots.release();
    node.load.hold();
    assert.equal(node.arrive(call({ now: node.now, leftMs: 100 })), "wait");
    node.turn();
    assert.deepEqual(node.shed, []);
  });

  test("suggests to stay away for longer the longer the queue is", () => {
    const node = new Node({ slotsFirst: 8 });
    for (let index = 0; index < 8; index++) node.load.slots.take();
    const short = node.load.retryAfterMs(ranks.normal, "a");
    for (let index = 0; index < 1_000; index++) node.arrive(call());
    assert.ok(node.load.retryAfterMs(ranks.normal, "a") > short);
    assert.equal(short, 100);
  });
});
