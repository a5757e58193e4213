/**
 * The state that an entity begins with must follow from its key alone: every activation of an entity that has no row
 * makes it anew, and all of them, and the judge, must come to the same. Here it is asked for twice, at places where the
 * time and chance are different.
 */
import { SynodError } from "../errors.ts";
import type { AnyState, AnySystem } from "../service/model.ts";
import { StateShapes } from "./state-shapes.ts";
import { runAt } from "./user-code/place.ts";
import { firstPlace } from "./user-code/places.ts";

const exampleKey = "a";
const anHourMs = 3_600_000;

/**
 * Throws `failed_precondition` and names the service whose `initial` gives something else each time, or, where a newer
 * release comes in, something else than what `migrate` makes of an old one: states of both are compared in one shape.
 */
export function checkInitialStates(system: AnySystem, upgrade?: AnySystem): void {
  checkRepeatable(system);
  if (upgrade === undefined) return;
  checkRepeatable(upgrade);
  const shapes = new StateShapes(upgrade);
  for (const {
    interface: { name },
    state,
  } of system.services) {
    const newer = upgrade.services.find((service) => service.interface.name === name)?.state;
    if (state === undefined || newer === undefined) continue;
    const [old, fresh] = [state, newer].map((one) => {
      const text = initialAt(one, 1);
      return text === undefined ? undefined : shapes.text(name, exampleKey, one.version, text);
    });
    if (old === fresh) continue;
    throw new SynodError(
      "failed_precondition",
      `initial() of service ${name} gives ${fresh} in the upgrade, and migrate makes ${old} of what it gave before: let them be the same.`,
    );
  }
}

function checkRepeatable(system: AnySystem): void {
  for (const {
    interface: { name },
    state,
  } of system.services) {
    if (state === undefined || initialAt(state, 1) === initialAt(state, 2)) continue;
    throw new SynodError(
      "failed_precondition",
      `initial() of service ${name} gives another state each time: let it depend on the key alone, and set times and ids in a command, from ctx.now and ctx.uuid().`,
    );
  }
}

/** Undefined when it takes another kind of key. */
function initialAt(state: AnyState, seed: number): string | undefined {
  try {
    return runAt(
      firstPlace(() => {}, { seed, nowMs: seed * anHourMs }),
      () => JSON.stringify(state.initial(exampleKey)),
    );
  } catch {
    return undefined;
  }
}
