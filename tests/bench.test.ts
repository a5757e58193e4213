/** The bench harness: what it saves and what it says. Never how fast anything is. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Transform } from "node:stream";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Bench } from "../bench/bench.ts";
import { benches } from "../bench/benches.ts";
import { pages, pageWithFigures } from "../bench/figures.ts";
import { FramedSocket } from "../bench/frames.ts";
import { overload } from "../bench/overload/bench.ts";
import { Connections } from "../bench/overload/connections.ts";
import { backAfterSeconds } from "../bench/overload/tally.ts";
import { keeping, medianOf, type Result, thisMachine } from "../bench/result.ts";
import { Parcel, parcelOf } from "../bench/rpc/parcel.ts";
import { expectedMs, orderOf, takesPart } from "../bench/turns.ts";
import { Window } from "../bench/window.ts";

const main = fileURLToPath(new URL("../bench/main.ts", import.meta.url));
const quickly = ["--runs", "1", "--seconds", "0.2", "--warm-up", "0"];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=synod-source", main, ...words], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

// Not all at once: on two cores nodes would be too late to keep their leases.
describe("npm run bench", { concurrency: 3 }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "synod-bench-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const variants = {
    commands: ["spread-256", "keys-256"],
    http: ["get"],
    simulation: ["loop"],
    "load-cost": ["rpc-64"],
    rpc: ["echo-64"],
    durable: ["spread-256"],
    postgres: ["spread-256"],
    messages: ["spread-256"],
    saga: ["trips-64"],
    timers: ["pending"],
    backlog: ["pending"],
    memory: ["active"],
    growth: ["keys-1000", "nodes-2"],
  };
  for (const [name, measured] of Object.entries(variants)) {
    test(`${name} saves samples, medians and ratios of every side`, async () => {
      const { peers = [], ...all } = benches.find((candidate) => candidate.name === name)!;
      // What Synod is measured beside comes from a package registry, and a test asks nobody outside of this machine.
      const own = Object.fromEntries(Object.entries(all.sides).filter(([side]) => !peers.includes(side)));
      const words = ["--variant", ...measured, "--side", ...Object.keys(own), "--results", folder];
      const { code, stdout, stderr } = await bench(name, ...quickly, ...words);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^${name} +unit +synod( |$)`, "m"));
      const result = JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as Result;
      checkResult(result, { ...all, sides: own }, measured);
    });
  }

  test("overload offers more than a side can do, says what became of it, and draws the curve", async () => {
    const words = ["--side", "synod", "unshed", "limit", "--variant", "compute-2", "critical-3c", "--pictures", folder];
    const { code, stderr } = await bench("overload", ...quickly, ...words, "--results", folder);
    assert.equal(code, 0, stderr);
    const { sides } = JSON.parse(await readFile(join(folder, "overload.json"), "utf8")) as Result;
    assert.deepEqual(Object.keys(sides), ["synod", "unshed", "limit"]);
    for (const side of Object.values(sides)) {
      const [capacity, offered] = [side["compute-2: capacity"]!, side["compute-2: offered"]!].map(
        ({ median }) => median,
      );
      // What does 400 per second, and did 50, was kept from its processor: then too few calls are due to be counted.
      assert.ok(offered! > capacity! || capacity! < 50, `${offered} calls/s for a capacity of ${capacity}`);
      assert.ok(side["critical-3c: good of the critical"]!.median <= 1);
    }
    assert.match(
      await readFile(join(folder, "overload-compute.svg"), "utf8"),
      /^<svg [\s\S]*<polyline[\s\S]*Synod without shedding/,
    );
  });

  test("every bench is listed with its variants, and has synod and limit among its sides", async () => {
    const { code, stdout } = await bench("--list");
    assert.equal(code, 0);
    assert.ok(benches.length > 0, "there are benches");
    for (const { name, variants, mainVariant, sides, limitless } of benches) {
      assert.ok(stdout.includes(`${name}: `) && variants.every((variant) => stdout.includes(`  ${variant.name}: `)));
      assert.ok(
        variants.some((variant) => variant.name === mainVariant),
        `${name} has its main variant`,
      );
      const comparesWithItself = Object.keys(sides).length === 1;
      assert.ok(
        sides.synod !== undefined && (sides.limit !== undefined || comparesWithItself || limitless !== undefined),
        `${name} has its sides`,
      );
    }
  });

  test("a bench, a variant or a number of runs that there cannot be is refused in a sentence", async () => {
    const names = benches.map(({ name }) => name).join(", ");
    const mistakes: [RegExp, ...string[]][] = [
      [new RegExp(`^Which bench\\? There are: ${names}\\.$`, "m")],
      [new RegExp(`^There is no bench commandz\\. There are: ${names}\\.$`, "m"), "commandz"],
      [/^http has no side apache\. There are: synod, fastify, limit\.$/m, "http", "--side", "apache"],
      [/^http has no variant put\. There are: get, post\.$/m, "http", "--variant", "put"],
      [/argument '0' is invalid\. Give 1 or more\.$/m, "http", "--runs", "0"],
      [/argument '0' is invalid\. Give more than 0 seconds\.$/m, "http", "--seconds", "0"],
      [
        /^9 runs will take about 15\.2 minutes, more than the 15 of --minutes: give fewer --runs, --variant or --side, or/m,
        ...["overload", "--variant", "after-3c", "after-stall", "compute-1", "--side", "synod", "--runs", "3"],
        ...["--seconds", "60", "--warm-up", "0", "--minutes", "15"],
      ],
    ];
    const answers = await Promise.all(mistakes.map(([_, ...words]) => bench(...words)));
    for (const [index, { code, stderr }] of answers.entries()) {
      assert.notEqual(code, 0);
      assert.match(stderr, mistakes[index]![0]);
    }
  });
});

for (const path of pages) {
  test(`the figures of benches in ${path} are what the saved results say`, async () => {
    assert.equal(await readFile(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8"), pageWithFigures(path));
  });
}

test("a result keeps what an earlier one has of other variants and sides, with its date, and nothing of its own", () => {
  const series = (median: number) => ({ unit: "calls/s", samples: [median], median });
  const variantsOf = (names: object): string[] => Object.keys(names).filter((name) => !name.includes(":"));
  const result = (commit: string, variants: Readonly<Record<string, number>>, sides = ["synod", "limit"]): Result => ({
    ...{ bench: "rpc", machine: { ...thisMachine(), processor: `of ${commit}`, cores: 2 }, commit, ratios: {} },
    taken: Object.fromEntries(
      variantsOf(variants).map((name) => [name, { date: "2026-01-01", commit, secondsPerRun: 2, loadBefore: 0 }]),
    ),
    sides: Object.fromEntries(
      sides.map((side) => [side, Object.fromEntries(Object.entries(variants).map(([k, v]) => [k, series(v)]))]),
    ),
  });
  const rpc = benches.find(({ name }) => name === "rpc")!;
  const earlier = result("old", { "echo-1": 1, "echo-64": 2, "echo-64: turned away": 3 }, ["synod", "limit", "nest"]);
  const merged = keeping(rpc, earlier, result("new", { "echo-64": 9 }));
  const old = { date: "2026-01-01", commit: "old", secondsPerRun: 2, loadBefore: 0, processor: "of old", cores: 2 };
  assert.deepEqual(Object.keys(merged.sides), ["synod", "limit", "nest"]);
  assert.deepEqual(Object.keys(merged.sides.synod!).toSorted(), ["echo-1", "echo-64"]);
  assert.equal(merged.sides.synod!["echo-64"]!.median, 9);
  assert.deepEqual(merged.sides.nest!["echo-1"], series(1));
  assert.deepEqual(merged.sides.nest!["echo-64"], { ...series(2), taken: old });
  assert.deepEqual(merged.sides.nest!["echo-64: turned away"], { ...series(3), taken: old });
  const again = keeping(rpc, merged, result("newest", { "echo-64": 10 }, ["synod"]));
  assert.equal(again.sides.nest!["echo-64"]!.taken!.commit, "old");
  assert.equal(again.sides.limit!["echo-64"]!.taken!.commit, "new");
  assert.equal(again.sides.synod!["echo-64"]!.taken, undefined);
  assert.equal(merged.taken["echo-1"]!.commit, "old");
  assert.equal(merged.taken["echo-1"]!.processor, "of old", "and not that of the machine on which it was kept");
  assert.equal(again.taken["echo-1"]!.processor, "of old");
  assert.equal(merged.taken["echo-64"]!.commit, "new");
  assert.deepEqual(merged.ratios, { limit: 1, nest: 4.5 });
});

test("the gates of overload are those of what was measured, each said with its figure", () => {
  const { gates } = benches.find(({ name }) => name === "overload")!;
  const of = (own: Readonly<Record<string, number>>): readonly string[] => {
    const series = Object.entries(own).map(([name, value]) => [name, { unit: "", samples: [value], median: value }]);
    const sides = { synod: Object.fromEntries(series), unshed: {} };
    return gates!({ bench: "overload", machine: thisMachine(), commit: "", taken: {}, sides, ratios: {} });
  };
  assert.deepEqual(of({}), []);
  const curve = { "transfer-0.8": 800, "transfer-1": 1_000, "transfer-2": 949, "transfer-10": 751 };
  assert.deepEqual(of({ ...curve, "transfer-10: heard nothing in time": 0.0101 }), [
    "FAILED: transfer, goodput at 2C over the peak: 0.949, to be at least 0.95",
    "passed: transfer, goodput at 10C over the peak: 0.751, to be at least 0.75",
    "FAILED: transfer, heard nothing in time at 10C: 0.0101, to be at most 0.01",
  ]);
  const stories = {
    ...{ "critical-3c": 400, "critical-3c: good of the critical": 0.9991 },
    ...{ "after-3c": 300, "after-3c: good": 0.94, "after-3c: back after": 11, "after-3c: attempts per call": 1.19 },
    ...{ "after-10c: good": 0.98, "compute-0.8: good": 1 },
  };
  assert.deepEqual(
    of(stories).map((line) => line.replace(/,.*/, "")),
    [
      "passed: critical calls that are answered at 3C: 0.9991",
      "FAILED: after-3c",
      "FAILED: after-3c",
      "passed: after-3c",
      "passed: 0.8C after 10C over 0.8C on the way up: 0.98",
    ],
  );
});

test("what Synod does of sagas at its best is compared with what each peer does at its own best", () => {
  const { gates } = benches.find(({ name }) => name === "saga")!;
  const series = (rates: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(rates).map(([name, median]) => [name, { unit: "", samples: [median], median }]));
  const sides = {
    synod: series({ "trips-256": 900, "trips-1024": 1_000, "trips-1024: processor time per saga, called": 9_000 }),
    restate: series({ "trips-64": 100, "trips-256": 90 }),
    dbos: series({ "trips-256": 125 }),
  };
  assert.deepEqual(gates!({ bench: "saga", machine: thisMachine(), commit: "", taken: {}, sides, ratios: {} }), [
    "passed: each at its best: synod 1,000 (trips-1024), restate 100 (trips-64): 10 times, to be at least 10",
    "FAILED: each at its best: synod 1,000 (trips-1024), dbos 125 (trips-256): 8 times, to be at least 10",
  ]);
});

test("benches that compare variants with each other run all of them in turn, and others one after the other", () => {
  const [first, second] = [
    { name: "a", title: "a" },
    { name: "b", title: "b" },
  ] as const;
  const choice = { runs: 2, variants: [first, second], measureMs: 0, warmUpMs: 0 };
  const order = (inRounds: boolean) =>
    orderOf({ ...overload, inRounds }, choice).map(([{ name }, run]) => `${name}${run}`);
  assert.deepEqual(order(true), ["a1", "b1", "a2", "b2"]);
  assert.deepEqual(order(false), ["a1", "a2", "b1", "b2"]);
});

test("a side takes no part in a variant that it does not come to the end of", () => {
  const [first, second] = [
    { name: "a", title: "a" },
    { name: "b", title: "b", without: ["limit"] },
  ] as const;
  const part = (side: string) => [first, second].map((variant) => takesPart(side, variant));
  assert.deepEqual(part("limit"), [true, false]);
  assert.deepEqual(part("synod"), [true, true]);
  const { synod, limit } = overload.sides;
  const bench = { ...overload, sides: { synod: synod!, limit: limit! }, runMs: () => 1_000 };
  assert.equal(expectedMs(bench, { runs: 2, variants: [first, second], measureMs: 1_000, warmUpMs: 0 }), 6_000);
});

test("goodput is back when the last second is over in which it was too low", () => {
  const seconds = [0, 100, 94, 95, 96].map((good) => ({ offered: 100, good }));
  assert.equal(backAfterSeconds(seconds, 0.95), 3);
  assert.equal(backAfterSeconds(seconds.slice(3), 0.95), 0);
  assert.equal(backAfterSeconds([{ offered: 0, good: 0 }], 0.95), 0);
});

test("the load asks nothing on a connection that the server has said it will close", { timeout: 10_000 }, async () => {
  const [sockets, asked]: [Socket[], number[]] = [[], []];
  await using server = createServer((socket) => {
    const number = sockets.push(socket);
    socket
      .on("error", () => {})
      .on("data", () => {
        asked.push(number);
        socket.write("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n");
      });
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const connections = new Connections((server.address() as AddressInfo).port, 1, false);
  try {
    await connections.open();
    // As Node does when nothing came for ten seconds. It takes its time to close the connection.
    const given = once(sockets[0]!, "close");
    sockets[0]!.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
    await given;
    assert.equal(sockets.length, 1, "nobody needs another one");
    const status = await new Promise((resolve) => connections.send("GET / HTTP/1.1\r\n\r\n", resolve));
    assert.deepEqual({ status, asked }, { status: 204, asked: [1, 2] });
  } finally {
    connections.close();
  }
});

test("a parcel of the bench rpc is an object of 100 bytes that its schema accepts", () => {
  for (const n of [0, 1, 10_000_000]) {
    assert.equal(JSON.stringify(parcelOf(n)).length, 100);
    assert.deepEqual(Parcel.parse(parcelOf(n)), parcelOf(n));
  }
});

test("frames of the least programs arrive whole and in order, however the stream is cut", async () => {
  const texts = ["", "{}", "ä€😀".repeat(40_000), JSON.stringify(parcelOf(1)), "x".repeat(300_000)];
  for (const cutBytes of [Number.POSITIVE_INFINITY, 1024, 1]) {
    const wire = new PassThrough();
    const sender = new FramedSocket(wire as unknown as Socket, cutBytes, () => assert.fail("it only sends"));
    const pieces = new Transform({
      transform(data: Buffer, _encoding, done) {
        for (let at = 0; at < data.length; at += 1_001) this.push(data.subarray(at, at + 1_001));
        done();
      },
    });
    const received = new Promise<[number, string][]>((resolve) => {
      const frames: [number, string][] = [];
      new FramedSocket(pieces as unknown as Socket, cutBytes, (number, text) => {
        if (frames.push([number, text]) === texts.length) resolve(frames);
      });
    });
    wire.removeAllListeners("data").pipe(pieces);
    for (const [number, text] of texts.entries()) sender.send(number, text);
    assert.deepEqual(await received, [...texts.entries()]);
  }
});

function checkResult(result: Result, { name, unit, mainVariant, sides }: Bench, variants: readonly string[]): void {
  assert.equal(result.bench, name);
  assert.deepEqual(Object.keys(result.sides), Object.keys(sides));
  assert.match(result.commit, /^([0-9a-f]{40}(-dirty)?|unknown)$/);
  assert.equal(result.machine.node, process.versions.node);
  for (const side of Object.values(result.sides)) {
    for (const variant of variants) assert.equal(side[variant]?.unit, unit);
    for (const { samples, median } of Object.values(side)) {
      assert.equal(samples.length, 1);
      assert.ok(samples[0]! >= 0 && median === samples[0], `the median of ${samples} is ${median}`);
    }
    assert.ok(side[variants[0]!]!.median > 0);
  }
  // What was doubtful, for want of a processor, is compared with nothing.
  const doubtful = (side: string): boolean => result.sides[side]![mainVariant]?.doubt !== undefined;
  const others = Object.keys(sides).filter((side) => side !== "synod" && !doubtful(side) && !doubtful("synod"));
  if (!variants.includes(mainVariant)) return assert.deepEqual(result.ratios, {});
  assert.deepEqual(Object.keys(result.ratios), others);
  for (const side of others) {
    const expected = result.sides.synod![mainVariant]!.median / result.sides[side]![mainVariant]!.median;
    assert.ok(Math.abs(result.ratios[side]! / expected - 1) < 0.001, `synod to ${side}: ${result.ratios[side]}`);
  }
}

test("the median of an even number of samples lies between the middle two", () => {
  assert.equal(medianOf([30, 1, 2]), 2);
  assert.equal(medianOf([4, 1, 30, 2]), 3);
  assert.throws(() => medianOf([]));
});

test("a window counts the answers after the one that opened it, up to the one that ended it", (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const edges: string[] = [];
  const window = new Window({ settleMs: 100, measureMs: 1_000 }, (edge) => edges.push(`${edge} at ${now}`));
  const more = [50, 100, 600, 1_099, 1_100, 1_101].map((at) => {
    now = at;
    return window.completed();
  });
  assert.deepEqual(more, [true, true, true, true, false, false]);
  assert.deepEqual(edges, ["begun at 100", "ended at 1100"]);
  assert.equal(window.result.completed, 3);
  assert.equal(window.result.perSecond, 3);
});

test("each line of load-cost says when it was measured", () => {
  const series = (median: number) => ({ unit: "", samples: [median], median });
  const sides = {
    synod: { "rpc-64": series(93), "rpc-1": series(90) },
    limit: { "rpc-64": series(100), "rpc-1": series(100) },
  };
  const taken = { date: "2026-01-01", secondsPerRun: 2, loadBefore: 0.5 };
  const { page } = benches.find(({ name }) => name === "load-cost")!;
  const text = page!.text({
    ...{ bench: "load-cost", machine: thisMachine(), commit: "newer", ratios: {}, sides },
    taken: { "rpc-64": { ...taken, commit: "older" }, "rpc-1": { ...taken, commit: "newer" } },
  });
  assert.match(text, /64 in flight: 7\.0 % .*`older`, load average 0\.5/);
  assert.match(text, /1 in flight: 10\.0 % .*`newer`/);
});
