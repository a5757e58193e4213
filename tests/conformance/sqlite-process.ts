/** The program by which the conformance suite uses a SQLite store from other processes. */
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { storeProcess } from "../../src/conformance/index.ts";
import { system } from "./sqlite-database.ts";

await storeProcess(async (path) => await openSqliteStore({ path, system }));
