/** The load of the bench: callers in the side's process, each of which calls again when it was answered. */
import type { Detail, Measured, RunOptions } from "../bench.ts";
import { type OpenPartner, openPartner } from "../partner.ts";
import { pinApart } from "../pinning.ts";
import { processorDetailsOfTwo, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { rpcVariant } from "./bench.ts";
import { type Parcel, parcelOf } from "./parcel.ts";

/** A side's caller, connected to its partner. */
export interface Caller {
  echo(parcel: Parcel): Promise<Parcel>;
  /** Of a side that turns callers away when it has too much to do: how often it did since the start. */
  turnedAway?(): number;
  close(): Promise<unknown> | undefined;
}

export type Connect = (address: string, options: RunOptions) => Promise<Caller>;

/** Opens the side's partner, calls it for as long as the run lasts, and closes both. */
export async function measureRpc(module: string, connect: Connect, options: RunOptions): Promise<Measured> {
  await using partner = await openPartner(module, options);
  const { inFlight } = rpcVariant(options.variant);
  const pinned = pinApart(inFlight === 1, process.pid, partner.processId);
  const caller = await connect(partner.address, options);
  try {
    const { rate, details } = await callFor(caller, inFlight, options, partner);
    return {
      value: rate,
      details: [
        ...details,
        ...(caller.turnedAway ? [{ name: "turned away", unit: "calls", value: caller.turnedAway() }] : []),
      ],
      doubt:
        inFlight === 1 && !pinned
          ? "one call in flight says little where processes cannot be pinned to cores"
          : undefined,
    };
  } finally {
    await caller.close();
  }
}

export interface Rates {
  readonly rate: number;
  readonly details: readonly Detail[];
}

/** Calls with so many in flight; fails when an answer is not what was sent. */
export async function callFor(
  { echo }: Pick<Caller, "echo">,
  inFlight: number,
  options: Pick<RunOptions, "settleMs" | "measureMs">,
  partner: OpenPartner,
): Promise<Rates> {
  const window = new Window(options, () => ({ own: processorMicroseconds(), called: partner.processorMicroseconds() }));
  let sent = 0;
  const caller = async (): Promise<void> => {
    do {
      const parcel = parcelOf(sent++);
      const { number, text } = await echo(parcel);
      if (number !== parcel.number || text !== parcel.text) throw new Error(`parcel ${parcel.number} came back wrong`);
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { completed, perSecond, begun, ended } = window.result;
  return { rate: perSecond, details: await processorDetailsOfTwo("call", begun, ended, completed) };
}
