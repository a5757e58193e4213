/** Projects of somebody's own, with Synod and zod installed, for tests of what users may write. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, temporaryFolder } from "./running-system.ts";

export interface Project extends Disposable {
  readonly path: string;
  /** The system file, `system.ts`. */
  readonly file: string;
}

/** A project whose system file is that source; removed at the end of its scope. */
export function project(source: string): Project {
  const folder = temporaryFolder();
  mkdirSync(join(folder.path, "node_modules"));
  symlinkSync(root, join(folder.path, "node_modules/synod"));
  symlinkSync(join(root, "node_modules/zod"), join(folder.path, "node_modules/zod"));
  writeFileSync(join(folder.path, "package.json"), '{"type":"module"}');
  const file = join(folder.path, "system.ts");
  writeFileSync(file, source);
  return { path: folder.path, file, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** A system of one service, which counts. */
export const counter = `
import { command, defineInterface, defineSystem, implement } from "synod";
import { http } from "synod/http";
import { z } from "zod";
const Counter = defineInterface("counter", {
  key: z.string(),
  operations: { add: command({ input: z.number(), output: z.number() }) },
});
const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ count: 0 }) },
  operations: { add: (ctx, step) => (ctx.state.count += step) },
});
export default defineSystem({ name: "counters", services: [counter], adapters: [http()] });
`;

/** The counter, with that as the body of its handler. */
export function counterThat(body: string): string {
  return counter.replace("(ctx, step) => (ctx.state.count += step)", `async (ctx, step) => { ${body} }`);
}
