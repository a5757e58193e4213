/** Restate: a virtual object for each counter, called through its server's HTTP ingress with a connection for each call in flight. */
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import type { Serve } from "../partner.ts";
import { connectRestate, restateSdk, startRestate } from "../restate.ts";
import { durableVariant } from "./bench.ts";
import { measureDurable } from "./load.ts";

interface ObjectContext {
  get(name: string): Promise<number | null>;
  set(name: string, value: number): void;
}

export const serve: Serve = async ({ folder }) => {
  const { object } = await restateSdk<{ object(definition: object): unknown }>();
  const add = async (context: ObjectContext, input: unknown): Promise<number> => {
    const count = ((await context.get("count")) ?? 0) + Step.parse(input).by;
    context.set("count", count);
    return count;
  };
  const { url, close } = await startRestate(folder, [object({ name: "counter", handlers: { add } })]);
  return { address: url, elsewhere: true, close };
};

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (url) => {
      const { call, close } = await connectRestate(url, durableVariant(options.variant).inFlight);
      return { add: (key) => call<number>(`/counter/${key}/add`, { by: 1 }), close };
    },
    options,
  );
