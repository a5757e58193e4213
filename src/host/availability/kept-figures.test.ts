/** Figures of an earlier life of the meter are added once, whatever becomes of the reading. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, probes } from "../../availability/report.ts";
import { RollUps, type Tiers } from "../../availability/rollups.ts";
import { type Outage, Slices } from "../../availability/slices.ts";
import type { GatewayCall, GatewayReply } from "../../ports/gateway.ts";
import type { Log } from "../../ports/log.ts";
import { KeptFigures } from "./kept-figures.ts";
import type { KeptSeries } from "./service.ts";

const now = Date.now();
const outage: Outage = { from: now - 9_000, to: now - 8_000, cause: "crash", failure: "cut" };

/** What was kept: seven good of each series, and one outage. */
function kept(name: string): KeptSeries {
  const rollUps = new RollUps();
  rollUps.add(name, now, { good: 7, bad: 0 });
  return { tiers: rollUps.tiersOf(name), outages: name === probes ? [outage] : [] };
}

interface Kept {
  readonly figures: KeptFigures;
  readonly rollUps: RollUps;
  readonly slices: Slices;
  /** What was read and written, in order. */
  readonly asked: string[];
  readonly warnings: string[];
  readonly written: Map<string, Tiers>;
  /** Codes with which series answer instead. */
  readonly failures: Map<string, string>;
}

function keptFigures(): Kept {
  const [rollUps, slices] = [new RollUps(), new Slices()];
  const [asked, warnings]: [string[], string[]] = [[], []];
  const failures = new Map<string, string>();
  const written = new Map<string, Tiers>();
  const call = async ({ key, operation, input }: GatewayCall): Promise<GatewayReply> => {
    const name = key!.replace("series/", "");
    asked.push(`${operation} ${name}`);
    const code = failures.get(name);
    const error = { code, message: code } as never;
    if (code !== undefined) return { ok: false, error, replayed: false };
    if (operation === "keep") written.set(name, (JSON.parse(input!) as KeptSeries).tiers);
    return { ok: true, output: JSON.stringify(kept(name)), replayed: false };
  };
  const log = { warn: (words: string) => warnings.push(words) } as unknown as Log;
  const figures = new KeptFigures({ call, log, rollUps, slices, services: ["account"] });
  return { figures, rollUps, slices, asked, warnings, written, failures };
}

function goodOf({ rollUps }: Kept, name: string): number {
  return rollUps.window(name, now, 60_000).good;
}

test("a restoring that is interrupted goes on where it was: nothing is added twice", async () => {
  const all = keptFigures();
  all.failures.set(keys, "unavailable");
  for (let looks = 0; looks < 3; looks++) await all.figures.restore();
  await all.figures.keep();
  assert.deepEqual([goodOf(all, probes), all.slices.outages.length], [7, 1]);
  assert.equal(all.written.size, 0, "what was not restored yet is not written over");
  all.failures.clear();
  await all.figures.restore();
  await all.figures.restore();
  for (const name of [probes, keys, "requests/account"]) assert.equal(goodOf(all, name), 7, name);
  assert.deepEqual(all.slices.outages, [outage]);
  await all.figures.keep();
  assert.deepEqual([...all.written.keys()].sort(), [keys, probes, "requests/account"]);
  assert.deepEqual(all.warnings, []);
});

test("a series that is damaged in the store is told of once, and the others are restored and kept", async () => {
  const all = keptFigures();
  all.failures.set(probes, "data_loss");
  for (let looks = 0; looks < 3; looks++) await all.figures.restore();
  all.rollUps.add(probes, now, { good: 1, bad: 0 });
  await all.figures.keep();
  assert.deepEqual([goodOf(all, probes), goodOf(all, keys), goodOf(all, "requests/account")], [1, 7, 7]);
  assert.equal(all.warnings.length, 1);
  assert.match(all.warnings[0]!, /probes/);
  assert.deepEqual([...all.written.keys()].sort(), [keys, "requests/account"]);
  assert.equal(all.asked.filter((words) => words === "kept probes").length, 1);
});
