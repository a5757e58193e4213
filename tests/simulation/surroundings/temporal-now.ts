/** Prints what a handler reads from `Temporal`, by the clock of its machine. Node 24 has it only when it is told to. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../../src/index.ts";
import { startSystem } from "../one-node.ts";

const Reader = defineInterface("reader", {
  key: z.string(),
  operations: { read: command({ output: z.array(z.string()) }) },
});

const reader = implement(Reader, {
  state: { version: 1, initial: () => ({ reads: 0 }) },
  operations: {
    read: (ctx) => {
      ctx.state.reads += 1;
      const { Now } = Reflect.get(globalThis, "Temporal") as { readonly Now: Record<string, () => object> };
      const names = ["instant", "zonedDateTimeISO", "plainDateTimeISO", "plainDateISO", "plainTimeISO"];
      return [new Date().toISOString(), ...names.map((name) => String(Now[name]?.()))];
    },
  },
});

const system: System = defineSystem({ name: "temporal", services: [reader] });
export default system;

if (import.meta.main) {
  await using started = await startSystem(new URL(import.meta.url));
  console.log(JSON.stringify(await started.ask("read")));
}
