/** A program that opens a store and says how that went. */
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { SynodError } from "../../src/errors.ts";

const [path, system] = process.argv.slice(2);
try {
  await (await openSqliteStore({ path: path!, system: system! })).close();
  console.log("opened");
} catch (error) {
  console.log(error instanceof SynodError ? `${error.code}: ${error.message}` : error);
}
