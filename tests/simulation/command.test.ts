/** `synod sim`, as a shell sees it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const synod = fileURLToPath(new URL("../../bin/synod.js", import.meta.url));
const bank = fileURLToPath(new URL("../../examples/bank/system.ts", import.meta.url));
const careless = fileURLToPath(new URL("careless-system.ts", import.meta.url));

function surrounding(name: string): string {
  return fileURLToPath(new URL(`surroundings/${name}`, import.meta.url));
}

async function sim(...words: string[]): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, [synod, "sim", ...words], { stdio: ["ignore", "pipe", "pipe"] });
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
