/** `synod/postgres`: the store port on PostgreSQL, with the package `pg`. */
export { openPostgresStore, type PostgresStoreOptions } from "./store.ts";
