/** Waiting for the outcome of a durable command: what becomes of the asking says nothing about the command. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface } from "../service/interface.ts";
import { clientOn } from "./client.ts";
import { VirtualPlatform } from "./fixture.test.ts";

const Parcel = defineInterface("parcel", {
  key: z.string(),
  operations: {
    deliver: command({ durable: true, output: z.string(), errors: { refused: z.object({ by: z.string() }) } }),
  },
});

const id = Buffer.from('["parcel","p-1","deliver","k","h"]').toString("base64url");

function problem(status: number, parts: object): Response {
  const body = JSON.stringify({ outcome: "not-happened", retryable: false, detail: "no", ...parts });
  return new Response(body, { status, headers: { "content-type": "application/problem+json" } });
}

/** As `fetch` of Node fails. */
function refusedConnection(): Error {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return Object.assign(new TypeError("fetch failed"), { cause });
}

/** Asks for an outcome; each request is answered in turn, the last answer goes on. */
async function asked(timeout: string, ...answers: readonly (() => Response | Error)[]) {
  const platform = new VirtualPlatform();
  let requests = 0;
  const fetch = async (): Promise<Response> => {
    const given = answers[Math.min(requests++, answers.length - 1)]!();
    if (given instanceof Error) throw given;
    return given;
  };
  const client = clientOn(platform, "http://system", { fetch });
  const start = platform.now;
  const result = await client.outcome(Parcel, { timeout }).deliver.safe(id);
  return { result, requests, elapsed: platform.now - start };
}

const unanswered: readonly (readonly [string, () => Response | Error, string])[] = [
  ["there is no connection", refusedConnection, "unavailable"],
  ["a node says not now", () => problem(503, { code: "unavailable", retryable: true }), "unavailable"],
  [
    "a node has too much to do",
    () => problem(429, { code: "resource_exhausted", retryable: true }),
    "resource_exhausted",
  ],
  ["no node had it in its time", () => problem(504, { code: "deadline_exceeded" }), "deadline_exceeded"],
  ["nobody knows of it any more", () => problem(404, { code: "not_found" }), "not_found"],
  ["it is not known who asks", () => problem(401, { code: "unauthenticated" }), "unauthenticated"],
];

for (const [what, answer, code] of unanswered) {
  test(`when ${what}, whoever asks for an outcome is not told that the command did not happen`, async () => {
    const { result } = await asked("1s", answer);
    assert.ok(!result.ok);
    assert.deepEqual([result.error.code, result.error.outcome], [code, "unknown"]);
  });
}

test("what a failure said besides is kept, with the failure as its cause", async () => {
  const { result } = await asked("1s", () =>
    problem(503, { code: "unavailable", retryable: true, retryAfterMs: 2_000 }),
  );
  assert.ok(!result.ok && result.error.code === "unavailable");
  const { message, retryable, retryAfterMs, cause } = result.error;
  assert.deepEqual([message, retryable, retryAfterMs], ["no", true, 2_000]);
  assert.equal((cause as { outcome?: unknown }).outcome, "not-happened");
});

test("a node whose own time for the request is over is asked again, until the caller's is", async () => {
  const timeIsOver = () => problem(504, { code: "deadline_exceeded" });
  const { result } = await asked("1m", timeIsOver, timeIsOver, () => Response.json("done"));
  assert.deepEqual(result, { ok: true, value: "done" });
  const never = await asked("1m", timeIsOver);
  assert.ok(!never.result.ok && never.elapsed > 55_000, `given up after ${never.elapsed} ms`);
});

test("what the command itself says is told as it is, and at once", async () => {
  const { result, requests } = await asked("1m", () => problem(422, { code: "refused", data: { by: "dave" } }));
  assert.ok(!result.ok && result.error.code === "refused" && result.error.outcome === "not-happened");
  assert.equal(requests, 1);
});
