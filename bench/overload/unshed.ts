/** Synod without load control: every call gets in, and none is turned away before its deadline. */
import type { StartOptions } from "synod";
import type { Run } from "../bench.ts";
import { measureOverload } from "./measure.ts";
import { startWork } from "./system.ts";

const endless = 1e6;

const limits: StartOptions["limits"] = {
  callsInFlightMax: endless,
  mailboxLengthMax: endless,
  load: {
    ...{ slotsFirst: endless, slotsMin: endless, slotsMax: endless, queueLengthMax: endless },
    ...{ burstWaitMaxMs: 1e9, burstPart: 1e6, standingWaitMs: 1e9 },
  },
};

export const run: Run = (options) => measureOverload((folder) => startWork(folder, limits), options);
