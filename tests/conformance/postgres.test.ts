import { storeConformance } from "../../src/conformance/index.ts";
import { createStore } from "../postgres/databases.ts";

storeConformance({
  name: "postgres",
  create: createStore,
  program: new URL("./postgres-process.ts", import.meta.url),
  // A second until the server gives up waiting, and a slow machine.
  lockedAnswerMaxMs: 4_000,
});
