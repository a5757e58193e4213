/** A node that stands still in the middle of a write keeps the lock of the whole store, and everybody out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterThat, project } from "./project.ts";
import { assertFigure, lives, post, reportOf, startUp, until } from "./running-system.ts";

/** A counter whose node can be made to stop like that: between the beginning of a transaction and its end. */
const source = `import { DatabaseSync } from "node:sqlite";
${counterThat(`
  if (step === 13) {
    const database = new DatabaseSync(".synod/counters.db", { timeout: 5_000 });
    database.exec("BEGIN IMMEDIATE");
    for (;;);
  }
  return (ctx.state.count += step);`)}`;

test("a node that stands still and keeps the store locked is killed, so that the others can take over", async (t) => {
  using folder = project(source);
  await assertFigure("the pause until another node answers", 4_000, async () => {
    await using up = await startUp(folder.path, ["system.ts"]);
    const url = up.ready.http;
    const { body: before } = await post(url, "/counter/a/add", 1);
    const pids = new Map((await reportOf(folder.path, "counters")).nodes.map(({ id, pid }) => [id, pid!]));
    const stopped = performance.now();
    const deadly = post(url, "/counter/a/add", 13, { "request-timeout": "1" }).catch(() => undefined);
    const killed = /"message":"(node-\d) stands still and keeps the store locked: killing it"/;
    const [, node] = await until("the node is killed", () => killed.exec(up.stderr) ?? undefined);
    await until("it is dead", () => !lives(pids.get(node!)!));
    const answer = await until("the key answers", async () => {
      const { status, body } = await post(url, "/counter/a/add", 1).catch(() => ({ status: 0, body: undefined }));
      return status === 200 && Number(body);
    });
    const pauseMs = performance.now() - stopped;
    await deadly;
    assert.equal(answer, Number(before) + 1, "what was acknowledged is there, and the deadly command never happened");
    t.diagnostic(`${Math.round(pauseMs)} ms`);
    return pauseMs;
  });
});
