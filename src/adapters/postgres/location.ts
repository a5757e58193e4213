/**
 * The URL of a PostgreSQL store: that of PostgreSQL's own client, with any number of hosts, and three parameters more.
 *
 *     postgres://user:password@db1,db2:5433/bank?sslmode=verify-full&schema=bank&unsafe=true
 *
 * `schema` is where the tables are, `synod_NAME` by default. `unsafe=true` takes a server that may lose what it has
 * acknowledged. `target_session_attrs` is understood and changes nothing: a store only ever uses the primary.
 */
import { SynodError } from "../../errors.ts";

export interface PostgresLocation {
  /** One URL for each host, in the order given; may hold a password. */
  readonly servers: readonly string[];
  readonly schema: string;
  readonly unsafe: boolean;
  /** For people: hosts and database, never a password. */
  readonly name: string;
}

/** Bytes in a name of PostgreSQL. */
const schemaLengthMax = 63;

/** Reads a store URL; raises `invalid_argument` with a sentence when it is none. */
export function readPostgresUrl(url: string, system: string): PostgresLocation {
  // The user ends at the last @, as for everybody who reads URLs: before it there may be one in the password.
  const parts = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(\?[^#]*)?$/i.exec(url);
  if (parts === null) throw invalid("is no URL of PostgreSQL");
  const [, user, hosts = "", path = "", query = ""] = parts;
  if (path.includes("@")) {
    throw invalid("has an @ after a /: in a user or a password / is %2F, and in the name of a database @ is %40");
  }
  const parameters = new URLSearchParams(query);
  const schema = take(parameters, "schema") ?? `synod_${system.replaceAll("-", "_").toLowerCase()}`;
  const unsafe = take(parameters, "unsafe") ?? "false";
  const target = take(parameters, "target_session_attrs") ?? "read-write";
  if (!/^[a-z_][a-z0-9_]*$/.test(schema) || schema.length > schemaLengthMax || schema.startsWith("pg_")) {
    throw invalid(`names a schema that cannot be "${schema}": use lower-case letters, digits and _`);
  }
  if (unsafe !== "true" && unsafe !== "false") throw invalid("has an `unsafe` that is neither true nor false");
  if (!["read-write", "primary", "any"].includes(target)) {
    throw invalid(`has target_session_attrs=${target}, but a store needs the primary: leave it out`);
  }
  const rest = parameters.size > 0 ? `?${parameters}` : "";
  const servers = hosts
    .split(",")
    .map((host) => `postgres://${user === undefined ? "" : `${user.replaceAll("@", "%40")}@`}${host}${path}${rest}`);
  for (const server of servers)
    if (!URL.canParse(server)) throw invalid("has a host, user or port that cannot be read");
  return { servers, schema, unsafe: unsafe === "true", name: `postgres://${hosts}${path}` };
}

function take(parameters: URLSearchParams, name: string): string | undefined {
  const value = parameters.get(name) ?? undefined;
  parameters.delete(name);
  return value;
}

/** Without the URL itself, which may hold a password. */
function invalid(what: string): SynodError {
  const form = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";
  return new SynodError("invalid_argument", `The store URL ${what}: write ${form}.`);
}
