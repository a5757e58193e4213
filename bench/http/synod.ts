/** Synod: a node with its HTTP adapter, as it serves in production. */
import { join } from "node:path";
import { defineSystem, startSystem } from "synod";
import { http } from "synod/http";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { httpKeys, measureHttp } from "./measure.ts";

const system = defineSystem({ name: "bench", services: [counter], adapters: [http({ port: 0 })] });

export const run: Run = async (options) => {
  await using node = await startSystem(system, { store: `sqlite:${join(options.folder, "bench.db")}`, adapters: true });
  await Promise.all(httpKeys.map((key) => node.to(Counter, key).add({ by: 1 })));
  return await measureHttp(Number(new URL(node.urls[0]!).port), options);
};
