/** A program that holds the write lock of a SQLite file until its input ends. */
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2]!, { timeout: 5_000 });
database.exec("BEGIN IMMEDIATE");
process.stdout.write("locked\n");
process.stdin.resume().on("end", () => database.close());
