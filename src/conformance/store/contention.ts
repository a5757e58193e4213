import { test } from "node:test";
import { type Contention, checkContention, contend } from "./contend.ts";
import type { Fixture, StoreConformanceOptions } from "./fixture.ts";
import { startProcess } from "./process.ts";

/** Rounds of each contender: enough for tens of takeovers, few enough for a store that syncs to disk. */
const rounds = 25;
const processes = 3;

/** Many claimers at once never own a shard at one epoch (guarantee G1, rule S1). */
export function contentionTests({ program }: StoreConformanceOptions, fixture: () => Fixture): void {
  test("claimers on several connections never both own a shard at one epoch", async () => {
    const { store, other, database, service } = fixture();
    const [third, fourth] = [await database.open(), await database.open()];
    const name = service();
    const contenders = await Promise.all(
      [store, other, third, fourth].map((connection) => contend(connection, name, rounds)),
    );
    await checkContention(store, name, contenders);
    await third.close();
    await fourth.close();
  });

  const location = () => fixture().database.location;
  if (program === undefined) return;
  test("claimers in several processes never both own a shard at one epoch", async () => {
    const name = fixture().service();
    const contenders = await Promise.all(
      Array.from({ length: processes }, async (): Promise<Contention> => {
        await using child = startProcess(program, location(), "contend", name, String(rounds));
        return JSON.parse(await child.line());
      }),
    );
    await checkContention(fixture().store, name, contenders);
  });
}
