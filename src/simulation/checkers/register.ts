/**
 * The register with compare-and-set: `read`, `write VALUE`, and `cas [EXPECTED, NEW]`, which answers whether
 * it swapped. Values are any JSON; a register that nobody wrote holds `initial`.
 */
import { canonical, type Model, refused, unknownOperation } from "./model.ts";

/** The state is the value as canonical text. */
export function registerModel(initial: unknown = null): Model<string> {
  return {
    name: "register",
    init: () => canonical(initial),
    step(state, call, reply) {
      if (call.f === "write") return { ok: true, state: canonical(call.value) };
      if (call.f === "read")
        return reply === undefined || canonical(reply.value) === state ? { ok: true, state } : refused;
      const [expected, next] = casArguments(call.f, call.value) ?? [];
      if (expected === undefined || next === undefined) throw unknownOperation("register", call);
      const swaps = canonical(expected) === state;
      if (reply !== undefined && reply.value !== swaps) return refused;
      return { ok: true, state: swaps ? canonical(next) : state };
    },
    stateKey: (state) => state,
    readOnly: (call, reply) => call.f === "read" || (call.f === "cas" && reply?.value === false),
    describe: (state) => state,
  };
}

function casArguments(f: string, value: unknown): readonly unknown[] | undefined {
  return f === "cas" && Array.isArray(value) && value.length === 2 ? value : undefined;
}
