/**
 * Builds of a system's code: the same business logic, but that durable commands have a step more, at their beginning or
 * at their end. So a node that comes back with another build goes on with durable commands that other code has begun,
 * whatever the system is: with a step more than was begun they go on, with a step less they are parked, and whoever
 * has all the steps can finish them all. What they do to others, and what their states say, is the same in each.
 */
import type { AnyHandler, AnyService, AnySystem } from "../service/model.ts";

/** Which steps a build has: the sum of 1 for the one at the beginning and 2 for the one at the end. */
export type Build = 0 | 1 | 2 | 3;

const firstStep = 1;
const lastStep = 2;

/** It has every step that any other has: with it, whatever was begun can be finished. */
export const completeBuild: Build = 3;

/** Added to a build in the amount of a fault: the node is not killed in the middle of something, but told to leave. */
const leaving = 4;

export function buildOf(amount: number): Build {
  return (amount & completeBuild) as Build;
}

export function isAskedToLeave(amount: number): boolean {
  return (amount & leaving) !== 0;
}

/** The amount of a fault from which the two above are read. */
export function amountOf(build: number, asksToLeave: boolean): number {
  return (build & completeBuild) + (asksToLeave ? leaving : 0);
}

/** Whether a build of this system differs from another one. */
export function hasDurableCommands({ services }: AnySystem): boolean {
  return services.some((service) => Object.keys(service.operations).some((name) => isDurable(service, name)));
}

/** `sees`: what the steps see of the world, something else in each process. */
export function builtSystem(system: AnySystem, build: Build, sees: string): AnySystem {
  if (build === 0) return system;
  const services = system.services.map((service) => {
    const operations = Object.entries(service.operations).map(([name, handler]): [string, AnyHandler] => {
      return [name, isDurable(service, name) ? withSteps(handler, build, sees) : handler];
    });
    return { ...service, operations: Object.fromEntries(operations) };
  });
  return { ...system, services };
}

interface StepContext {
  step(name: string, act: () => string): Promise<string>;
}

function withSteps(handler: AnyHandler, build: Build, sees: string): AnyHandler {
  return async (context, input) => {
    const { step } = context as StepContext;
    if ((build & firstStep) !== 0) await step("first of another build", () => sees);
    const result = await handler(context, input);
    if ((build & lastStep) !== 0) await step("last of another build", () => sees);
    return result;
  };
}

function isDurable(service: AnyService, operation: string): boolean {
  const definition = service.interface.operations[operation];
  return definition?.kind === "command" && definition.durable === true;
}
