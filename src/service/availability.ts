/** What a system promises of its availability, and who is told when the promise is in danger. */
import { checkMembers, definitionError, quoted } from "./definition.ts";
import type { AnyService } from "./model.ts";

/** As the system file says it. */
export interface AvailabilityPolicy {
  /** Of the system, as probers see it: `"99.9%"`. */
  readonly objective: string;
  /** Of the requests to single services, by their names. */
  readonly services?: Readonly<Record<string, string>>;
  /** Gets a POST with each alert. */
  readonly webhook?: string;
  /** What probers send along, where the HTTP adapter asks who calls. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The same, read: objectives from 0 to 1. */
export interface AvailabilityTargets {
  readonly objective: number;
  readonly services: Readonly<Record<string, number>>;
  readonly webhook: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export function availabilityTargets(
  policy: AvailabilityPolicy,
  services: readonly AnyService[],
  subject: string,
): AvailabilityTargets {
  const about = `the availability of ${subject}`;
  checkMembers(policy, ["objective", "services", "webhook", "headers"], about);
  const known = new Set(services.map((service) => service.interface.name));
  const own = Object.entries(policy.services ?? {}).map(([name, objective]) => {
    if (!known.has(name)) throw definitionError(`${about} names the service ${quoted(name)}, which it does not have`);
    return [name, readObjective(objective, `the objective of ${name}`)] as const;
  });
  const { webhook, headers = {} } = policy;
  if (webhook !== undefined && !URL.canParse(webhook)) {
    throw definitionError(`the webhook in ${about} is ${quoted(webhook)}, and must be a URL`);
  }
  const objective = readObjective(policy.objective, `the objective in ${about}`);
  return Object.freeze({ objective, services: Object.fromEntries(own), webhook, headers });
}

function readObjective(text: string, subject: string): number {
  const match = typeof text === "string" ? /^(\d+(?:\.\d+)?)\s*%$/.exec(text) : null;
  const value = match === null ? Number.NaN : Number(match[1]) / 100;
  if (value > 0 && value < 1) return value;
  throw definitionError(
    `${subject} is ${quoted(text)}, and must be a percentage above 0 and below 100, such as "99.9%"`,
  );
}
