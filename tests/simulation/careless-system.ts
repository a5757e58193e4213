/** A system whose handler leaves a rejected promise behind. */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, type System } from "../../src/index.ts";

const Careless = defineInterface("careless", { key: z.string(), operations: { act: command() } });

const careless = implement(Careless, {
  state: { version: 1, initial: () => ({}) },
  operations: { act: () => void Promise.reject(new Error("nobody looks")) },
});

const system: System = defineSystem({ name: "careless", services: [careless] });
export default system;
