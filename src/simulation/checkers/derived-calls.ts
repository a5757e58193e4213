/**
 * Commands that handlers call: on behalf of one request nothing takes effect more often than one attempt of each of its
 * handlers has asked for it (guarantee G4, ids derived from the caller's). Black box: it counts, and knows no ids but
 * those of the callers.
 */
import { type ClientOperation, describeOperation, type HandlerRun, type MadeCall, nameOfEntity } from "../operation.ts";
import type { Report } from "./promised-work.ts";

interface Chain {
  /** For each called operation and each of its callers: how often an attempt of that caller has called it, at most. */
  readonly made: Map<string, Map<string, number>>;
  /** How often each called operation has taken effect. */
  readonly effects: Map<string, number>;
}

export class DerivedCalls {
  readonly #report: Report;
  readonly #chains = new Map<ClientOperation, Chain>();

  constructor(report: Report) {
    this.#report = report;
  }

  made({ client, service, key, operation, id }: HandlerRun, { name, count }: MadeCall): void {
    if (client === null) return;
    const { made } = this.#chain(client);
    const callers = made.get(name) ?? new Map<string, number>();
    made.set(name, callers);
    const caller = `${nameOfEntity(service, key)}.${operation} ${id}`;
    callers.set(caller, Math.max(callers.get(caller) ?? 0, count));
  }

  tookEffect(client: ClientOperation, run: HandlerRun): void {
    const name = `${nameOfEntity(run.service, run.key)}.${run.operation}`;
    const { made, effects } = this.#chain(client);
    const count = (effects.get(name) ?? 0) + 1;
    effects.set(name, count);
    let most = 0;
    for (const calls of made.get(name)?.values() ?? []) most += calls;
    // A durable command that nobody called was begun by a timer, under an id that says nothing.
    const isDurable = "durable" in run.definition && run.definition.durable === true;
    if (count <= most || (most === 0 && isDurable)) return;
    this.#report(
      "effectively once",
      `${name} took effect ${count} times for ${describeOperation(client)}, whose handlers call it ${most} times in one attempt`,
    );
  }

  #chain(client: ClientOperation): Chain {
    let chain = this.#chains.get(client);
    if (chain === undefined) {
      chain = { made: new Map(), effects: new Map() };
      this.#chains.set(client, chain);
    }
    return chain;
  }
}
