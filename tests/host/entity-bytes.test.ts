/** What the node counts for an active entity is what the entity takes, and that is little. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { EntityBytes } from "./entity-bytes.run.ts";

/** For an entity with small state (the figure of the issue; a Map entry of one's own takes 140). */
const entityBytesMax = 2_048;
/** What a measurement may be off by. */
const tolerance = 1.1;

const program = fileURLToPath(new URL("./entity-bytes.run.ts", import.meta.url));

for (const [use, words] of [
  ["add", "that ran a command"],
  ["look", "that ran a command and a query"],
  ["finish", "that finished a durable command"],
] as const) {
  test(`an active entity ${words} takes no more than is counted for it`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-entity-"));
    try {
      const flags = ["--expose-gc", "--conditions=synod-source"];
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, folder, use]);
      const { held, counted } = JSON.parse(stdout) as EntityBytes;
      assert.ok(counted <= entityBytesMax, `${counted} bytes are counted for an entity`);
      assert.ok(held <= counted * tolerance, `an entity takes ${held} bytes, and ${counted} are counted`);
      assert.ok(held >= counted / 2, `an entity takes ${held} bytes only, and ${counted} are counted`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
