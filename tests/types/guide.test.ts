/** docs/services.md is a whole project: it compiles, its test passes, and the simulator finds nothing in it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadScenario, simulate } from "synod/simulation";
import { createProject, type Project } from "./project.ts";

const page = await readFile(new URL("../../docs/services.md", import.meta.url), "utf8");
/** Each block of code says in its first line which file it is. */
const files = Object.fromEntries(
  [...page.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)].map(([, name, code]) => [name!, code!]),
);

/** What the page says to leave out, to see the simulator find it. */
const guard = " || there.sold";

async function findings(project: Project, seeds: number): Promise<readonly string[]> {
  const scenario = await loadScenario(pathToFileURL(`${project.directory}/theatre.scenario.ts`));
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await simulate({ scenario, seed });
    if (violations.length > 0) return violations.map(({ text }) => text);
  }
  return [];
}

describe("docs/services.md", () => {
  let project: Project;
  before(async () => {
    project = await createProject(files);
  });
  after(async () => {
    await project[Symbol.asyncDispose]();
  });

  test("compiles, and every block of code is a file of it", async () => {
    assert.equal(Object.keys(files).length, page.match(/```ts\n/g)!.length);
    // What is said of Synod's own source, which this project's settings do not suit, is not said of the page.
    const said = (await project.check()).filter(({ file }) => Object.hasOwn(files, file));
    assert.deepEqual(said, []);
  });

  test("has a test that passes", async () => {
    assert.match(await project.run("theatre.test.ts"), /pass 1\n/);
  });

  test("has a scenario in which nothing is found until the line goes that it speaks of", async () => {
    assert.deepEqual(await findings(project, 1), []);
    assert.ok(files["show.ts"]!.includes(guard));
    await using broken = await createProject({ ...files, "show.ts": files["show.ts"]!.replace(guard, "") });
    assert.match((await findings(broken, 3)).join("\n"), /every purchase has a seat: \d+ purchases, \d+ seats sold/);
  });
});
