/** What the parts of a node's links share. */
import type { LinkLimits } from "../../core/link/limits.ts";
import type { Hello, Prover } from "../../core/link/messages.ts";
import type { LinkConfig } from "../../core/link/state.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Network } from "../../ports/network.ts";
import type { Random } from "../../ports/random.ts";
import type { ReplyBody } from "../../wire/frames.ts";
import { headBytesMax, nonceBytes } from "../../wire/limits.ts";
import type { InboundCall } from "./calls.ts";
import type { Link } from "./link.ts";

export interface LinkEnvironment {
  readonly system: string;
  readonly node: string;
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: LinkLimits;
  readonly prover: Prover;
  /** Oldest and newest protocol version. */
  readonly versions: { readonly min: number; readonly max: number };
  readonly onCall: (call: InboundCall) => ReplyBody | Promise<ReplyBody>;
  /** Calls that this node has under way or waiting. */
  readonly load: () => number;
  /** What crossed links that are closed. */
  readonly closedTraffic: { receivedBytes: number; sentBytes: number };
}

/** How one link of this node introduces itself. */
export function linkConfig(
  environment: LinkEnvironment,
  role: LinkConfig["role"],
  incarnation: number,
  dial: number,
  expected?: LinkConfig["expected"],
): LinkConfig {
  const { limits, prover } = environment;
  const hello: Hello = {
    kind: "hello",
    versionMin: environment.versions.min,
    versionMax: environment.versions.max,
    system: environment.system,
    node: environment.node,
    incarnation,
    dial,
    nonce: environment.random.bytes(nonceBytes),
    frameBytesMax: limits.frameBytesMax,
    callsMax: limits.callsMax,
    callBytesMax: limits.callBytesMax,
  };
  return { role, limits, hello, expected, prover, headBytesMax };
}

/** A closed link is forgotten, and what crossed it is not. */
export function countClosed({ closedTraffic }: LinkEnvironment, link: Pick<Link, "bytesReceived" | "bytesSent">): void {
  closedTraffic.receivedBytes += link.bytesReceived;
  closedTraffic.sentBytes += link.bytesSent;
}
