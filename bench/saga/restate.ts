/** Restate: a handler that calls three virtual objects, one after the other, asked for through its server's HTTP ingress. */
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import type { Serve } from "../partner.ts";
import { connectRestate, restateSdk, startRestate } from "../restate.ts";
import { sagaVariant } from "./bench.ts";
import { measureSagas, type Trip } from "./load.ts";

interface ObjectContext {
  get(name: string): Promise<number | null>;
  set(name: string, value: number): void;
}
interface TripContext {
  objectClient(definition: unknown, key: string): { add(input: { readonly by: number }): Promise<number> };
}
interface Sdk {
  object(definition: object): unknown;
}

export const serve: Serve = async ({ folder }) => {
  const { object } = await restateSdk<Sdk>();
  const add = async (context: ObjectContext, input: unknown): Promise<number> => {
    const count = ((await context.get("count")) ?? 0) + Step.parse(input).by;
    context.set("count", count);
    return count;
  };
  const counter = object({ name: "counter", handlers: { add } });
  const start = async (context: TripContext, { stops }: Trip): Promise<readonly number[]> => {
    const places: number[] = [];
    for (const stop of stops) places.push(await context.objectClient(counter, stop).add({ by: 1 }));
    return places;
  };
  const { url, close } = await startRestate(folder, [counter, object({ name: "trip", handlers: { start } })]);
  return { address: url, elsewhere: true, close };
};

export const run: Run = (options) =>
  measureSagas(
    import.meta.url,
    async (url) => {
      const { call, close } = await connectRestate(url, sagaVariant(options.variant).inFlight);
      return { travel: (trip) => call<number[]>(`/trip/${trip.id}/start`, trip), close };
    },
    options,
  );
