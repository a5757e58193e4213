/** A node whose event loop does not turn: others own its keys, and in the end its supervisor kills it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Supervisor } from "../../src/host/supervisor.ts";
import type { Log } from "../../src/ports/log.ts";
import { counterThat, project } from "./project.ts";
import { lives, post, until } from "./running-system.ts";

test("a node whose event loop is blocked is killed, its keys move, and it comes back", async () => {
  using folder = project(counterThat("if (step === 13) for (;;); return (ctx.state.count += step);"));
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const log: Log = { debug: () => {}, info: write, warn: write, error: write };
  const supervisor = new Supervisor({
    systemFile: folder.file,
    store: `sqlite:${folder.path}/counters.db`,
    port: 0,
    drainMs: 1_000,
    nodes: 3,
    log,
    nodeLog: { format: "text", level: "error" },
    quietStdout: true,
    silenceMaxMs: 800,
  });
  try {
    await supervisor.prepare();
    const [url] = await supervisor.start();
    assert.equal((await post(url!, "/counter/a/add", 1)).body, 1);
    const owner = (await supervisor.inspect("counter", "a")).owner!;
    const blocked = supervisor.nodes.find(({ id }) => id === owner)!.pid!;
    // The call that blocks its node is cut with it, and not repeated for ever.
    const deadly = fetch(new URL("/counter/a/add", url), {
      method: "POST",
      headers: { "content-type": "application/json", "request-timeout": "2" },
      body: "13",
    }).then(
      ({ status }) => status,
      () => 0,
    );
    await until("the blocked node is dead", () => !lives(blocked));
    assert.ok(lines.includes(`${owner} has given no sign of life for 0.8 s: killing it`), lines.join("\n"));
    assert.ok([0, 503, 504].includes(await deadly));
    const again = await until("the key answers", async () => {
      const answer = await post(url!, "/counter/a/add", 1).catch(() => undefined);
      return answer?.status === 200 && answer.body;
    });
    assert.ok((again as unknown as number) >= 2, "what was acknowledged is still there");
    await until("the node serves again", () => lines.includes(`${owner} serves again`));
    await until("who took over is told", () =>
      lines.some((line) => / took over the \d+ shards of node-\d in \d+ ms$/.test(line)),
    );
  } finally {
    await supervisor.stop(1_000);
  }
});
