/** `synod inbox`, `outbox` and `dead` on a running system of three processes: what pends, and what is done about it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { EntityReport, WorkDetails } from "../../src/admin/target.ts";
import { office as source } from "./office-system.ts";
import { project } from "./project.ts";
import { type Finished, post, startUp, synod, until } from "./running-system.ts";

test("what is parked is found, shown and tried again, from the command line, whichever node has it", async () => {
  using office = project(source);
  await using up = await startUp(office.path, ["system.ts"]);
  const run = async (...words: string[]): Promise<Finished> => {
    const result = await synod(office.path, words);
    assert.equal(result.code, 0, `${words.join(" ")}: ${result.stderr}`);
    return result;
  };
  const read = async <T>(...words: string[]): Promise<T> => JSON.parse((await run(...words, "--json")).stdout) as T;
  const client = adminClient((await readAdminFile(join(office.path, ".synod/office.admin.json")))!);
  const keys = ["k1", "k2", "k3"];
  for (const key of keys) {
    assert.equal((await post(up.ready.http, `/contract/${key}/sign`, "x", { prefer: "respond-async" })).status, 202);
  }
  const dead = await until("three are parked", async () => {
    const { work } = await client.work({ boxes: ["inbox", "outbox"], parked: true });
    return work.length === 3 && work;
  });
  assert.deepEqual(dead.map(({ key }) => key).sort(), keys);
  assert.ok(dead.every(({ parked, holdsTurn }) => parked!.code === "nondeterministic" && holdsTurn));
  assert.deepEqual(await post(up.ready.http, "/clerk/carl/note", "k1"), { status: 204, body: undefined }, up.stderr);
  const { stdout } = await run("outbox", "list", "--service", "clerk", "--state", "waiting");
  assert.match(stdout, /^clerk\/\d+\/\d+ +clerk\/carl +note +contract\/k1 +\d+s +\d+ +waiting$/m);
  assert.match((await run("dead", "list")).stdout, /parked, blocks its entity: nondeterministic/);
  assert.equal((await run("dead", "list", "--older-than", "1h")).stdout, "Nothing is parked.\n");

  const clerk: EntityReport = await client.inspect("clerk", "carl");
  assert.deepEqual([clerk.work.outbox.length, clerk.work.timers.map(({ name }) => name)], [1, ["wake"]]);
  assert.match(
    (await run("inspect", "clerk", "carl")).stdout,
    /\nmessages\n.*\n.*\n\ntimers\n.*\nwake +wake +- +in 59m/,
  );
  const first = dead.find(({ key }) => key === "k1")!;
  const details = await read<WorkDetails>("dead", "show", first.id);
  assert.deepEqual([details.input, details.journal.map(({ name }) => name)], ['"x"', ["count/signatures.add"]]);

  writeFileSync(join(office.path, "go"), "");
  assert.equal((await run("dead", "retry", first.id)).stdout, `${first.id} retried\n`);
  await until("the note has arrived", async () => (await client.work({ boxes: ["outbox"] })).work.length === 0);
  const dropped = dead.find(({ key }) => key === "k2")!;
  assert.equal((await run("dead", "drop", dropped.id)).stdout, `${dropped.id} dropped\n`);
  const rest = dead.find(({ key }) => key === "k3")!;
  const { stdout: retried } = await run("dead", "retry", "--all", "--service", "contract", "--json");
  assert.deepEqual(JSON.parse(retried), { event: "retried", id: rest.id });
  await until("all are finished", async () => (await client.work({ boxes: ["inbox"] })).work.length === 0);
  const signatures = await post(up.ready.http, "/count/signatures/read");
  assert.equal(signatures.body, 3, "each was counted once, the dropped one too");

  const again = await synod(office.path, ["dead", "drop", dropped.id]);
  assert.deepEqual([again.code, /no pending work/.test(again.stderr)], [1, true]);
  assert.equal((await synod(office.path, ["dead", "drop"])).code, 2, "nothing was named");
});
