/** The command line: what commands there are, and how they end. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { exitCodes, reportFailure } from "./exit.ts";
import { bearReadersThatLeave, endWith } from "./output.ts";
import { ended } from "./program/command.ts";
import { addBackup, addRestore, addVerify } from "./program/keeping.ts";
import {
  addAvailability,
  addCall,
  addDrain,
  addInspect,
  addRestart,
  addStatus,
  addTop,
  addWork,
} from "./program/operating.ts";
import { addCapacity, addCheck, addDrill, addOpenapi, addSim } from "./program/proving.ts";
import { addCerts, addInit, addNode, addUp } from "./program/running.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const exitHelp = `
Exit codes:
  0  done
  1  failed
  2  the command was written wrongly
  3  no system runs
  4  the operation answered with an error that it declares`;

function program(): Command {
  const synod = new Command("synod")
    .description("Runs distributed systems that are written in plain TypeScript.")
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(add --help for more)")
    .addHelpText("after", exitHelp)
    .exitOverride();
  addInit(synod);
  addUp(synod);
  addStatus(synod);
  addTop(synod);
  addInspect(synod);
  addCall(synod);
  addWork(synod, "inbox", "durable commands that were accepted and are not finished");
  addWork(synod, "outbox", "messages that were sent and are not delivered");
  addWork(synod, "dead", "durable commands and messages that are parked: nobody tries them any more");
  addDrain(synod);
  addRestart(synod);
  addNode(synod);
  addCerts(synod);
  addBackup(synod);
  addRestore(synod);
  addVerify(synod);
  addOpenapi(synod);
  addCheck(synod);
  addSim(synod);
  addCapacity(synod);
  addAvailability(synod);
  addDrill(synod);
  return synod;
}

bearReadersThatLeave();
try {
  await program().parseAsync();
} catch (error) {
  // Commander has said already what was wrong, or printed the help that was asked for.
  if (!(error instanceof CommanderError)) await endWith(reportFailure(error, ended().verbose));
  else await endWith(error.exitCode === 0 ? exitCodes.done : exitCodes.usage);
}
// What the user's own code keeps open must not keep a finished command running.
await endWith(ended().exitCode);
