/**
 * Calls between two processes: a stateless echo of an object of 100 bytes, by what a service would use to ask another
 * one. Both ends of every side have objects in their hands, so that encoding and decoding count for all of them.
 */
import type { Bench, Variant } from "../bench.ts";

interface RpcVariant extends Variant {
  readonly inFlight: number;
}

const rpcVariants: readonly RpcVariant[] = [64, 1, 512].map((inFlight) => ({
  name: `echo-${inFlight}`,
  title: `echo of 100 bytes, ${inFlight} in flight`,
  inFlight,
}));

export function rpcVariant(name: string): RpcVariant {
  const found = rpcVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench rpc has no variant ${name}`);
  return found;
}

const peers = ["moleculer", "nest", "grpc", "trpc", "undici"];

export const rpc: Bench = {
  name: "rpc",
  summary: "calls of a stateless service in another process on this machine",
  unit: "calls/s",
  variants: rpcVariants,
  mainVariant: "echo-64",
  peers,
  sides: Object.fromEntries(
    ["synod", "limit", ...peers].map((side) => [side, new URL(`./${side}.ts`, import.meta.url)]),
  ),
};
