/** The program by which the conformance suite uses a PostgreSQL store from other processes. */
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { storeProcess } from "../../src/conformance/index.ts";
import { system } from "../postgres/server.ts";

await storeProcess(async (url) => await openPostgresStore({ url, system }));
