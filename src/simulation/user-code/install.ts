/**
 * Puts the replacements in place for as long as somebody needs them, and takes them away afterwards: a run leaves
 * nothing behind. Modules that are imported while they are in place, and those that were before, see them: the named
 * exports of Node's modules are live.
 */
import { syncBuiltinESMExports } from "node:module";
import { chanceReplacements } from "./chance.ts";
import { openSslReplacements } from "./openssl.ts";
import { outputReplacements } from "./output.ts";
import { outsideReplacements } from "./outside.ts";
import { replaceAll } from "./replacement.ts";
import { threadReplacements } from "./threads.ts";
import { timeReplacements } from "./time.ts";
import { timerReplacements } from "./timers.ts";

/** Whoever needs them: there is one set of globals for all. */
let users = 0;
let takeAway = (): void => {};

/** Times of the day are those of UTC, whatever the machine's zone is. */
const timeZone = "UTC";

/** The returned function gives them back; twice does no harm. */
export function replaceSurroundings(): () => void {
  if (users++ === 0) takeAway = install();
  let given = false;
  return () => {
    if (given) return;
    given = true;
    if (--users === 0) takeAway();
  };
}

function install(): () => void {
  const undo = replaceAll([
    ...timeReplacements(),
    ...timerReplacements(),
    ...chanceReplacements(),
    ...threadReplacements(),
    // After the threads, and so in front of them: what they are given they do as the simulator itself, which is refused nothing.
    ...openSslReplacements(),
    ...outsideReplacements(),
    ...outputReplacements(),
  ]);
  const { TZ } = process.env;
  process.env.TZ = timeZone;
  syncBuiltinESMExports();
  return () => {
    undo();
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
    syncBuiltinESMExports();
  };
}
