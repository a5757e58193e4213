import assert from "node:assert/strict";
import { test } from "node:test";
import { createMeters } from "../adapters/meters/hdr.ts";
import { prometheusText } from "./prometheus.ts";
import type { NodeMeters } from "./target.ts";

const link: NodeMeters["status"]["links"][number] = {
  ...{ node: "node-2", incarnation: 2, direction: "dialled", phase: "open", roundTripMs: 0.5, roundTripMinMs: 0.25 },
  ...{ callsInFlight: 3, callBytesInFlight: 300, queueLength: 1, queueWaitMeanMs: 2, queueWaitMaxMs: 4 },
  ...{ bufferedBytes: 10, peerLoad: 7, calls: 9, replies: 6, framesSent: 9, framesReceived: 6 },
  ...{ bytesSent: 900, bytesReceived: 600, reconnects: 2, causes: { lost: 2 } },
};

const accepted: typeof link = { ...link, node: "node-3", direction: "accepted", roundTripMs: undefined };

function nodeMeters(node: string, deposits: readonly number[]): NodeMeters {
  const meters = createMeters();
  for (const ms of deposits) meters.operation("account", "deposit").answered("ok", ms);
  meters.operation("account", "deposit").shed("queue");
  return {
    node,
    operations: meters.read(),
    process: {
      ...{ cpuSeconds: 12.5, eventLoopUtilization: 0.25, heapUsedBytes: 1_000, heapTotalBytes: 2_000, rssBytes: 3_000 },
      eventLoopDelay: { meanMs: 1, p99Ms: 20, maxMs: 30 },
    },
    network: { receivedBytes: 1_600, sentBytes: 1_900 },
    status: {
      ...{ node, incarnation: 1, state: "ready", shardsOwned: 64, entitiesInMemory: 5, memoryBytes: 5_000 },
      ...{
        callsInFlight: 4,
        keyUptime: { upMs: 0, downMs: 0 },
        messagesPending: 0,
        load: { slotsTaken: 2, slotsLimit: 256, queued: 1, standing: false },
      },
      ...{ commands: 1, queries: 2, commits: 3, commandsPerCommit: 1, heartbeatWorstMs: 1, address: null },
      ...{ members: [], links: [link, accepted], linkTraffic: { receivedBytes: 600, sentBytes: 900 }, breakers: [] },
    },
  };
}

test("the text has every figure with its node, and histograms in buckets that add up", async () => {
  const text = await prometheusText([nodeMeters("node-1", [0.4, 3, 40]), nodeMeters("node-2", [7_000])]);
  const value = (series: string): number => {
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    assert.ok(line, `${series} is missing in\n${text}`);
    return Number(line.slice(series.length + 1));
  };
  const deposit = 'service="account",operation="deposit"';
  const bucket = (node: string, le: string): number =>
    value(`synod_response_seconds_bucket{le="${le}",node="${node}",${deposit}}`);
  assert.equal(value(`synod_calls_total{node="node-1",${deposit},code="ok"}`), 3);
  assert.equal(value(`synod_calls_shed_total{node="node-2",${deposit},reason="queue"}`), 1);
  assert.deepEqual(
    ["0.0005", "0.005", "0.05", "+Inf"].map((le) => bucket("node-1", le)),
    [1, 2, 3, 3],
  );
  assert.deepEqual(
    ["5", "10"].map((le) => bucket("node-2", le)),
    [0, 1],
  );
  assert.equal(value(`synod_response_seconds_count{node="node-1",${deposit}}`), 3);
  assert.ok(Math.abs(value(`synod_response_seconds_sum{node="node-1",${deposit}}`) - 0.0434) < 1e-9);
  assert.equal(value('synod_cpu_seconds_total{node="node-1"}'), 12.5);
  assert.equal(value('synod_event_loop_delay_p99_seconds{node="node-2"}'), 0.02);
  assert.equal(value('synod_network_sent_bytes_total{node="node-1"}'), 1_900);
  assert.equal(value('synod_entities{node="node-1"}'), 5);
  const toPeer = 'node="node-1",peer="node-2",direction="dialled"';
  assert.equal(value(`synod_link_round_trip_seconds{${toPeer}}`), 0.0005);
  assert.doesNotMatch(
    text,
    /synod_link_round_trip_seconds\{.*direction="accepted"/,
    "an end that does not measure says nothing",
  );
  assert.equal(value(`synod_link_bytes_in_flight{${toPeer}}`), 300);
  assert.equal(value('synod_queue_standing{node="node-1"}'), 0);
  assert.equal(value(`synod_link_queue_wait_mean_seconds{${toPeer}}`), 0.002);
  assert.equal(value(`synod_link_reconnects{${toPeer}}`), 2);
  assert.equal(value(`synod_link_ended{${toPeer},cause="lost"}`), 2);
});

test("every line is a comment or a sample, and every family is announced once", async () => {
  const text = await prometheusText([nodeMeters("node-1", [1])]);
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines) assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)*\})? -?[\d.e+-]+|.*NaN)$/);
  const types = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]);
  assert.equal(new Set(types).size, types.length);
  assert.ok(types.length > 20);
});

test("two scrapes do not add up to each other", async () => {
  const meters = [nodeMeters("node-1", [1])];
  assert.equal(await prometheusText(meters), await prometheusText(meters));
});
