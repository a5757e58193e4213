import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { createLog, type LogOptions } from "./pino.ts";

function written(options: Pick<LogOptions, "format" | "level">): {
  lines: string[];
  log: ReturnType<typeof createLog>;
} {
  const lines: string[] = [];
  return { lines, log: createLog({ ...options, name: "node-1", write: (line) => lines.push(line) }) };
}

test("a text line holds the time, the level, who speaks, the message and the fields", () => {
  const { lines, log } = written({ format: "text", level: "info" });
  log.warn("the lease has ended", { incarnation: 7, why: "no renewal", tags: ["a"] });
  assert.match(
    lines.join(""),
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}node-1 {2}the lease has ended {2}incarnation=7 why="no renewal" tags=\["a"\]\n$/,
  );
});

test("a text line stays one line whatever a field holds", () => {
  const { lines, log } = written({ format: "text", level: "info" });
  log.error("it broke", { error: "a\nb" });
  assert.equal(lines.join("").trimEnd().split("\n").length, 1);
});

test("an error is told with its stack and its cause: as text below the line, and only where it is the operator's matter", () => {
  const { lines, log } = written({ format: "text", level: "info" });
  const error = new Error("it broke", { cause: new TypeError("no number") });
  log.error("a call failed", { request: "r-1", error });
  log.warn("a heartbeat failed", { error });
  const [failed, ...rest] = lines.join("").trimEnd().split("\n");
  assert.match(failed!, /a call failed {2}request=r-1 error="it broke: no number"$/);
  assert.match(rest.at(-1)!, /a heartbeat failed {2}error="it broke: no number"$/);
  const stack = rest.slice(0, -1);
  assert.ok(stack.length > 3 && stack.every((line) => line.startsWith("    ")));
  assert.match(stack.join("\n"), /Error: it broke\n +at .*pino\.test\.ts.*caused by: TypeError: no number\n +at /s);
});

test("as text the stack of an error ends with the user's own code, and is whole for whoever wants more, or where there is none of it", () => {
  const runtime = `    at start (${new URL("../../runtime/handler-run.ts", import.meta.url).href}:100:5)`;
  const users = ["    at parse (node:internal/url:1:1)", "    at Object.add (file:///home/me/shop/counter.ts:6:14)"];
  const told = (frames: readonly string[], level: "info" | "debug"): string[] => {
    const { lines, log } = written({ format: "text", level });
    const error = Object.assign(new TypeError("it broke"), { stack: ["TypeError: it broke", ...frames].join("\n") });
    log.error("counter/a.add failed", { error });
    const [, , ...stack] = lines.join("").trimEnd().split("\n");
    return stack.map((line) => line.slice(4));
  };
  assert.deepEqual(told([...users, runtime], "info"), users);
  assert.deepEqual(told([...users, runtime], "debug"), [...users, runtime]);
  assert.deepEqual(told([runtime], "info"), [runtime]);
});

test("an error in a JSON line has its stack", () => {
  const { lines, log } = written({ format: "json", level: "info" });
  log.warn("a heartbeat failed", { error: new RangeError("it broke") });
  const { error } = JSON.parse(lines.join("")) as { error: Record<string, unknown> };
  assert.deepEqual([error.type, error.message], ["RangeError", "it broke"]);
  assert.match(String(error.stack), /pino\.test\.ts/);
});

test("a JSON line can be parsed and names its level", () => {
  const { lines, log } = written({ format: "json", level: "info" });
  log.info("ready", { url: "http://127.0.0.1:8080" });
  const entry = JSON.parse(lines.join("")) as Record<string, unknown>;
  assert.deepEqual(
    { level: entry.level, name: entry.name, message: entry.message, url: entry.url, pid: entry.pid },
    { level: "info", name: "node-1", message: "ready", url: "http://127.0.0.1:8080", pid: process.pid },
  );
});

test("fields with the names of the line's own are kept beside those", () => {
  const fields = { name: "ann", time: "19:30", level: 3, pid: 1, message: "m", name_: "other" };
  const json = written({ format: "json", level: "info" });
  json.log.info("held", fields);
  // As text: of a name twice, JSON.parse tells the last one alone.
  const [line] = json.lines;
  const entry = JSON.parse(line!) as Record<string, unknown>;
  assert.deepEqual([entry.level, entry.name, entry.pid, entry.message], ["info", "node-1", process.pid, "held"]);
  assert.match(String(entry.time), /^\d{4}-/);
  assert.equal(line!.match(/"(name|time|level|pid|message)":/g)?.length, 5);
  assert.deepEqual([entry.time_, entry.level_, entry.pid_, entry.message_], ["19:30", 3, 1, "m"]);
  assert.deepEqual([entry.name_, entry.name__], ["other", "ann"]);

  const text = written({ format: "text", level: "info" });
  text.log.info("held", { name: "ann", time: "19:30" });
  assert.match(text.lines.join(""), /^\d\d:\d\d:\d\d\.\d{3} info {2}node-1 {2}held {2}name_=ann time_=19:30\n$/);
});

test("what is less important than the level is not written", () => {
  const { lines, log } = written({ format: "json", level: "warn" });
  log.debug("one");
  log.info("two");
  log.warn("three");
  assert.equal(lines.length, 1);
});

for (const format of ["json", "text"] as const) {
  const skip = existsSync("/dev/full") ? false : "needs /dev/full";
  test(`a ${format} log that cannot be written does not end the process`, { skip }, () => {
    const program = `
      import { createLog } from ${JSON.stringify(new URL("./pino.ts", import.meta.url).href)};
      const log = createLog({ format: "${format}", level: "info", name: "node-1" });
      log.warn("one");
      log.warn("two");
      setImmediate(() => console.log("alive"));
    `;
    const command = 'exec "$0" --conditions=synod-source --input-type=module --eval "$1" 2>/dev/full';
    const child = spawnSync("/bin/sh", ["-c", command, process.execPath, program], {
      encoding: "utf8",
      timeout: 10_000,
    });
    assert.deepEqual([child.status, child.stdout], [0, "alive\n"]);
  });
}
