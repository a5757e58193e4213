/**
 * Routes: from a method and a request target to an operation.
 *
 *     POST /{service}/{operation}          stateless
 *     POST /{service}/{key}/{operation}    keyed
 *     GET  …?input={JSON}                  queries only
 *
 * The path is taken apart here and not by Fastify's router, because a key may be anything: each segment is
 * percent-decoded exactly once, nothing is normalised, and names are looked up in maps, so that `a/b` (as
 * `a%2Fb`), `..`, `__proto__` and the empty key are keys like any other. Whoever takes a wrong turn is told
 * what there is.
 */
import type { OperationDescription, ServiceDescription } from "../../ports/gateway.ts";
import { didYouMean } from "../../values/nearest.ts";
import { quote } from "./headers.ts";
import { badRequest, Refusal } from "./problem.ts";

/** Paths that belong to the adapter itself. */
export const ownPaths = {
  openapi: "/openapi.json",
  health: "/healthz",
  readiness: "/readyz",
  outcomes: "/outcomes/",
} as const;

/** Names that one sentence lists. */
const namesListedMax = 20;
const queryMethods = ["GET", "HEAD", "POST", "OPTIONS"];
const commandMethods = ["POST", "OPTIONS"];
const ownMethods = ["GET", "HEAD"];

export interface Route {
  readonly service: string;
  /** Present exactly for keyed services. */
  readonly key: string | undefined;
  readonly operation: OperationDescription;
  /** What stands behind `?`, undecoded. */
  readonly query: string | undefined;
}

interface Service {
  readonly description: ServiceDescription;
  readonly operations: ReadonlyMap<string, OperationDescription>;
}

export class Routes {
  readonly #services: ReadonlyMap<string, Service>;
  readonly #isElsewhere: (service: string) => boolean;

  /** `isElsewhere`: whether another node hosts a service that is not among these. */
  constructor(services: readonly ServiceDescription[], isElsewhere: (service: string) => boolean) {
    this.#isElsewhere = isElsewhere;
    this.#services = new Map(
      services.map((description) => [
        description.name,
        { description, operations: new Map(description.operations.map((operation) => [operation.name, operation])) },
      ]),
    );
  }

  /** The route of a request target. Throws a {@link Refusal} that says what exists. */
  find(method: string, target: string): Route {
    const { path, query } = split(target);
    const segments = path.slice(1).split("/").map(decodeSegment);
    const [name = ""] = segments;
    const service = this.#services.get(name);
    if (service === undefined && this.#isElsewhere(name)) return foreignRoute(method, segments, query);
    if (service === undefined) throw this.#unknownService(path, name);
    const { keyed } = service.description;
    if (segments.length !== (keyed ? 3 : 2)) throw wrongForm(service);
    const operation = service.operations.get(segments.at(-1)!);
    if (operation === undefined) throw unknownOperation(service, segments.at(-1)!);
    const allowed = methodsOf(operation);
    if (!allowed.includes(method))
      throw wrongMethod(`${name}.${operation.name} is a ${operation.kind}`, method, allowed);
    return { service: name, key: keyed ? segments[1] : undefined, operation, query };
  }

  #unknownService(path: string, name: string): Refusal {
    if (Object.values<string>(ownPaths).includes(path)) return wrongMethod(`${path} is only read`, "", ownMethods);
    const names = [...this.#services.keys()];
    const services = names.length === 0 ? "This system has none" : `There are: ${list(names)}`;
    const seeing = `${services} (see ${ownPaths.openapi}).`;
    // Whoever opens the address in a browser comes here first.
    if (name === "") return notFound(`Operations are at /{service}/{key}/{operation}. ${seeing}`);
    return notFound(`no service is called ${quote(name)}${didYouMean(name, names)} ${seeing}`);
  }
}

/**
 * Nothing is known here about the operation: the node that hosts it judges the call. It may be a command, so it
 * is only taken by POST, which no page of another origin can make a browser send.
 */
function foreignRoute(method: string, segments: readonly string[], query: string | undefined): Route {
  const [service = "", ...rest] = segments;
  const name = rest.at(-1);
  if (name === undefined || rest.length > 2) throw notFound(`${quote(service)} has no such operation`);
  const schemas = { input: undefined, hasInput: true, output: undefined, hasOutput: true, errors: {} };
  const operation: OperationDescription = {
    ...{ name, kind: "command", priority: "normal", durable: false, description: undefined },
    ...schemas,
  };
  if (!methodsOf(operation).includes(method)) throw wrongMethod(`${service}.${name}`, method, methodsOf(operation));
  return { service, key: rest.length === 2 ? rest[0] : undefined, operation, query };
}

/** The methods that an operation answers to. */
export function methodsOf(operation: OperationDescription): readonly string[] {
  return operation.kind === "query" ? queryMethods : commandMethods;
}

/** The input of a query that was asked by GET: the JSON text in `?input=`. */
export function inputOf(query: string | undefined): string | undefined {
  if (query === undefined || query === "") return undefined;
  const [parameter = "", ...more] = query.split("&");
  if (more.length > 0 || !parameter.startsWith("input=")) {
    throw badRequest("the only query parameter is input, once, as ?input= with percent-encoded JSON");
  }
  return decode(parameter.slice("input=".length).replaceAll("+", " "));
}

function split(target: string): { readonly path: string; readonly query: string | undefined } {
  // A target may name scheme and host as well (RFC 9112, section 3.2.2).
  const origin = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = origin.indexOf("?");
  return mark < 0 ? { path: origin, query: undefined } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

function decodeSegment(segment: string): string {
  return segment.includes("%") ? decode(segment) : segment;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badRequest(`the URL is not percent-encoded UTF-8 at ${quote(text)}`);
  }
}

function unknownOperation({ description, operations }: Service, given: string): Refusal {
  const names = [...operations.keys()];
  const suggestion = didYouMean(given, names);
  return notFound(`${description.name} has no operation ${quote(given)}${suggestion} It has: ${list(names)}.`);
}

function wrongForm({ description: { name, keyed } }: Service): Refusal {
  if (!keyed) return notFound(`${name} has no keys: its operations are at /${name}/{operation}`);
  return notFound(
    `${name} has a key: its operations are at /${name}/{key}/{operation}, with the key percent-encoded (/ is %2F)`,
  );
}

function wrongMethod(what: string, method: string, allowed: readonly string[]): Refusal {
  const but = method === "" ? "" : `, not ${method}`;
  const headers = { allow: allowed.join(", ") };
  return new Refusal(405, "unimplemented", `${what}: it answers to ${allowed.join(", ")}${but}`, { headers });
}

function notFound(detail: string): Refusal {
  return new Refusal(404, "not_found", detail);
}

function list(names: readonly string[]): string {
  const listed = names.slice(0, namesListedMax).join(", ");
  return names.length > namesListedMax ? `${listed} and ${names.length - namesListedMax} more` : listed;
}
