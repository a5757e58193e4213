/** Three real processes on replicated PostgreSQL, under load: a node is killed, and then the primary. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatVerdict } from "../../src/simulation/checkers/verdict.ts";
import { addUntilAnswered } from "../cluster/bare-http.ts";
import { Cluster } from "../cluster/cluster.ts";
import { kill } from "../cluster/faults.ts";
import { Workload } from "../cluster/workload/workload.ts";
import { crowding, temporaryFolder } from "../host/running-system.ts";
import { ask, startReplicas } from "./replicas.ts";

const answerMaxMs = 20_000;
const backMaxMs = 2_000;
/** Epochs of a store whose server was promoted are above all that the old primary can have given out. */
const epochsOfTheNextTimeline = 2 ** 32;

test("nothing is lost or doubled while a node is killed, and the primary with a standby promoted", async (t) => {
  using folder = temporaryFolder();
  await using replicas = await startReplicas(2, "ANY 1 (*)");
  await using cluster = await Cluster.start({ store: replicas.url });
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const clients = { library: 2, keyed: 1, once: 1, lookers: 0 };
  const pace = { thinkMs: 20, movesPerKeys: 400, keysLength: 4 };
  const workload = new Workload({ url: cluster.url, folder: folder.path, seed, clients, ...pace });
  workload.fault(kill.name, "node-1");
  t.diagnostic(`kill -9 of a node: ${Math.round(await kill.strike(cluster, "node-1"))} ms`);

  await addUntilAnswered(cluster.url, "witness", "before", answerMaxMs);
  workload.fault("kill -9", "primary");
  await replicas.primary.kill();
  const promoted = await replicas.promote();
  const promotedAt = performance.now();
  const backMs = (await addUntilAnswered(cluster.url, "witness", "after", answerMaxMs)) - promotedAt;
  t.diagnostic(`service is back ${Math.round(backMs)} ms after the promotion`);
  assert.ok(backMs < backMaxMs * Math.max(1, crowding()), `service was back only ${backMs} ms after the promotion`);
  await cluster.whole();

  const verdicts = await workload.finish();
  const broken = verdicts.filter(({ status, operations }) => status !== "holds" || operations === 0);
  assert.equal(broken.map(formatVerdict).join("\n"), "");
  const [epochs] = await ask(promoted, "SELECT min(epoch)::float8 AS lowest FROM synod_workload.shards");
  assert.ok(Number(epochs?.lowest) > epochsOfTheNextTimeline, "no epoch of the old timeline is left");
  assert.doesNotMatch(cluster.log, /has lost commits/);
  t.diagnostic(`${workload.operations} operations`);
});
