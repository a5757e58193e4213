import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { createDatabase } from "../postgres/databases.ts";
import { differential } from "./differential.ts";

differential({
  name: "PostgreSQL",
  runs: 15,
  commitsRenew: false,
  create: async () => {
    const database = await createDatabase();
    return {
      open: (options) => openPostgresStore({ url: database.url, system: "differential", ...options }),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  },
});
