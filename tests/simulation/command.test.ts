/** `synod sim`, as a shell sees it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const synod = fileURLToPath(new URL("../../bin/synod.js", import.meta.url));
const bank = fileURLToPath(new URL("../../examples/bank/system.ts", import.meta.url));
const careless = fileURLToPath(new URL("careless-system.ts", import.meta.url));
/** Runs on its first thread, its third and so on end their worker; the others break a promise. */
const dying = fileURLToPath(new URL("lost/dying.scenario.ts", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function surrounding(name: string): string {
  return fileURLToPath(new URL(`surroundings/${name}`, import.meta.url));
}

function sim(...words: string[]): Promise<Ended> {
  return node(synod, "sim", ...words);
}

async function node(...words: string[]): Promise<Ended> {
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, output, errors };
}

test("a system alone is enough: nothing found, and a report of what was tried", async () => {
  const { code, output, errors } = await sim(bank, "--seeds", "2", "--workers", "2");
  assert.equal(code, 0, errors);
  assert.match(output, /^nothing found in 2 runs\n {2}simulated .*\n {2}operations +\d+ answered/);
  assert.match(output, /^ {2}never .*\n {2}branches .*\n {2}unreached /m);
});

test("a defect is found, exits with 1, and the printed line replays it", async () => {
  const found = await sim(
    bank,
    "--seeds",
    "40",
    "--workers",
    "1",
    "--mutation",
    "no-epoch-check",
    "--json",
    "--shrink",
    "2",
  );
  assert.equal(found.code, 1, found.errors);
  const { failure } = JSON.parse(found.output);
  const text = await sim(bank, "--seed", String(failure.seed), "--mutation", "no-epoch-check", "--trace");
  assert.equal(text.code, 1);
  const lines = text.output.split("\n");
  assert.ok(
    lines.some((line) => />>> .*one owner: /.test(line)),
    "the violating step is marked",
  );
  const replay = `replay it: synod sim ${bank} --seed ${failure.seed} --mutation no-epoch-check --trace`;
  assert.ok(lines.includes(replay));
  assert.ok(text.output.endsWith(`trace ${failure.digest}\n`), "it is the same run");
});

test("a rejection that a handler leaves behind is told, and is not the end of the simulator", async () => {
  const { code, output } = await sim(careless, "--seed", "1");
  assert.equal(code, 1);
  assert.match(output, /no defect[\s\S]*nobody looks/);
});

test("a handler that does I/O fails its run, with the line that does it and what to do instead", async () => {
  const { code, output } = await sim(surrounding("refused-system.ts"), "--seeds", "1", "--workers", "1");
  assert.equal(code, 1);
  assert.doesNotMatch(output, /^ {2}(?:never|branches|unreached) /m, "it ended at the first call");
  assert.match(output, /no outside world[\s\S]*user code calls .*\n +at .*refused-system\.ts:\d+/);
});

test("a file that does I/O while it is loaded is refused, before any run", async () => {
  const { code, errors } = await sim(surrounding("eager.ts"), "--seeds", "2");
  assert.equal(code, 1);
  assert.match(errors, /eager\.ts:\d+ threw while it was loaded: user code calls fetch\(\)\. .*stateless interface/);
});

test("what a campaign could not ask for is said", async () => {
  const { code, output, errors } = await sim(surrounding("password-system.ts"), "--seeds", "1");
  assert.equal(code, 0, errors);
  assert.match(output, /not asked {3}door\.open: none of 200 values .*give the scenario a workload/);
});

test("what cannot be simulated is refused in one sentence", async () => {
  const { code, errors } = await sim(fileURLToPath(new URL("workshop-system.ts", import.meta.url)), "--seed", "1");
  assert.equal(code, 1);
  assert.match(errors, /declares neither a system nor a scenario/);
  assert.equal((await sim(bank, "--seed", "many")).code, 2);
});

test("what a file prints while it is loaded is told once, on standard error", async () => {
  const { code, output, errors } = await sim(surrounding("printing-system.ts"), "--seeds", "1", "--json");
  assert.equal(code, 0, errors);
  assert.equal(JSON.parse(output).runs, 1);
  assert.equal(errors, "bells are being hung\n");
});

test("a failure is told before the page of it is written", async () => {
  const { code, output, errors } = await sim(careless, "--seed", "1", "--html", "/nowhere/x.html");
  assert.equal(code, 1);
  assert.match(output, /seed 1 breaks a promise/);
  assert.match(errors, /\/nowhere\/x\.html/);
});

test("a failure is told, though one worker dies before it is found and one while it is made small", async () => {
  const { code, output, errors } = await sim(dying, "--seeds", "2", "--workers", "2", "--json");
  assert.equal(code, 1);
  const { failure, lost, shrunk } = JSON.parse(output);
  assert.deepEqual([failure.seed, lost.seed].toSorted(), [1, 2]);
  assert.equal(shrunk, undefined, "no list of its operations was seen to fail");
  assert.match(
    errors,
    /breaks a promise: invariant[\s\S]*came to no result: .*doomed[\s\S]*not made any smaller.*doomed/,
  );
});

test("a run whose worker dies is a failure, with the line that runs it alone", async () => {
  const { code, output } = await sim(dying, "--seeds", "5", "--workers", "1");
  assert.equal(code, 1);
  assert.match(output, /^seed 1 came to no result: .*doomed\nalone: synod sim .*dying\.scenario\.ts --seed 1\n/);
});

test("flags of Node that no worker takes are no obstacle", async () => {
  const file = surrounding("printing-system.ts");
  const { code, errors } = await node("--expose-gc", synod, "sim", file, "--seeds", "1");
  assert.equal(code, 0, errors);
});

test("Ctrl-C ends a campaign, which says what was under way", async () => {
  const child = spawn(process.execPath, [synod, "sim", bank, "--seeds", "100000", "--workers", "1"]);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
    // Its progress: so the campaign is under way.
    if (/runs\/s/.test(text)) child.kill("SIGINT");
  });
  const signal = await new Promise<string | null>((resolve) => child.on("close", (_code, by) => resolve(by)));
  assert.equal(signal, "SIGINT");
  assert.match(errors, /under way when it was stopped: seed \d+\n$/);
});
