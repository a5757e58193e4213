import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { differential } from "./differential.ts";
import { temporaryFolder } from "./sqlite-database.ts";

differential({
  name: "SQLite",
  runs: 50,
  commitsRenew: true,
  create: async () => {
    const folder = await temporaryFolder();
    return {
      open: (options) => openSqliteStore({ path: `${folder.path}/store.db`, system: "differential", ...options }),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
});
