/** The programs in docs/client.md compile, run against the bank, and print what the page says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { type RunningSystem, startSystem } from "synod";
import { http } from "synod/http";
import bank from "../../examples/bank/system.ts";
import { createProject, type Project } from "../types/project.ts";

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
const page = await read("docs/client.md");
/** Each program, and what it prints. */
const programs = [...page.matchAll(/```ts\n([\s\S]*?)```(?:\n\n```text\n([\s\S]*?)```)?/g)].map(
  ([, program, printed]) => ({ program: program!, printed: printed ?? "" }),
);
const addressOnThePage = "http://127.0.0.1:8080";
const nobodyOnThePage = "http://127.0.0.1:8079";

/** An address at which somebody listened until now. */
async function addressOfNobody(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}

describe("docs/client.md", () => {
  let running: RunningSystem;
  let project: Project;

  before(async () => {
    running = await startSystem({ ...bank, adapters: [http({ port: 0 })] }, { adapters: true });
    const nobody = await addressOfNobody();
    const files = programs.map(({ program }, at) => {
      const here = program.replaceAll(addressOnThePage, running.urls[0]!).replaceAll(nobodyOnThePage, nobody);
      return [`program-${at + 1}.ts`, here];
    });
    project = await createProject({
      ...Object.fromEntries(files),
      "account.interface.ts": await read("examples/bank/account.interface.ts"),
      "transfer.interface.ts": await read("examples/bank/transfer.interface.ts"),
      "rates.interface.ts": await read("examples/bank/rates.interface.ts"),
    });
  });

  after(async () => {
    await running?.stop(0);
    await project?.[Symbol.asyncDispose]();
  });

  test("has programs that compile", async () => {
    assert.ok(programs.length >= 4 && page.includes(addressOnThePage) && page.includes(nobodyOnThePage));
    assert.deepEqual(await project.check(), []);
  });

  for (const [at, { printed }] of programs.entries()) {
    test(`program ${at + 1} prints what the page says`, async () => {
      assert.equal(await project.run(`program-${at + 1}.ts`), printed);
    });
  }
});
