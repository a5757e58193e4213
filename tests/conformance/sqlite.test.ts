import { storeConformance } from "../../src/conformance/index.ts";
import { createDatabase, createSmallDatabase } from "./sqlite-database.ts";

storeConformance({
  name: "sqlite",
  create: createDatabase,
  createSmall: createSmallDatabase,
  program: new URL("./sqlite-process.ts", import.meta.url),
  // A second for each of the two writes that wait one after the other, and a slow machine.
  lockedAnswerMaxMs: 4_000,
});
