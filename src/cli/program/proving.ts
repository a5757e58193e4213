/** Commands that take a system file, and say what can be said before it runs for others. */
import { type Command, Option } from "commander";
import { loadProcessesDefault } from "../../capacity/load/load.ts";
import { type CapacityCommandOptions, capacity } from "../capacity/capacity.ts";
import { type CheckOptions, check } from "../check.ts";
import { type DrillCommandOptions, drill } from "../drill/drill.ts";
import { openapi } from "../openapi.ts";
import { type SimOptions, sim } from "../sim/sim.ts";
import {
  collect,
  readCount,
  readDuration,
  readKeys,
  readMinutes,
  readObjective,
  readRange,
  readRate,
  readSeconds,
  readSeed,
  readTrace,
} from "./arguments.ts";
import { command, ending, examples } from "./command.ts";

export function addOpenapi(synod: Command): void {
  command(synod, "openapi", "print the OpenAPI 3.1 description of a system's HTTP API")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .addHelpText("after", examples("synod openapi system.ts > openapi.json"))
    .action(ending(openapi));
}

export function addCheck(synod: Command): void {
  command(synod, "check", "say what a release would break while it comes in, nodes with old and new code side by side")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .option("--write [lock]", "keep what the system promises now (default: synod.lock.json beside the system)")
    .option("--against [lock]", "compare with what was kept; exit code 1 if something breaks")
    .option("--allow <name>", "a breaking change that is meant, such as account.close; may be repeated", collect, [])
    .option("--json", "print the changes as JSON", false)
    .addHelpText(
      "after",
      examples(
        "synod check system.ts --write                    # at a release; keep the file with the code",
        "synod check system.ts --against                  # before the next one, and in CI",
        "synod check system.ts --against --allow account.close --write",
      ),
    )
    .action(ending((system: string, options: CheckOptions) => check(system, options)));
}

export function addSim(synod: Command): void {
  command(synod, "sim", "run a system on simulated nodes, with faults, and say what breaks and how to replay it")
    .argument("<file>", "the file that declares the system, or a scenario")
    .option("--seeds <count>", "how many seeds to try, from 1 on", readSeed, 100)
    .option("--seed <seed>", "one seed: the same run, byte for byte", readSeed)
    .option("--minutes <minutes>", "begin no further seed after this time", readMinutes)
    .option("--workers <count>", "how many runs at a time (default: one for each core)", readCount)
    .option("--only <case>", "one case: a file that --save wrote, or the word in the line that replays it")
    .option(
      "--trace [what]",
      "print what led to the failure; full: all that happened; lines: as it is compared",
      readTrace,
    )
    .option("--html <file>", "write a page with the run as a space-time diagram")
    .option("--shrink <seconds>", "how long to make a failure small; 0: not at all (default: 60)", readSeconds)
    .option("--save <file>", "keep the small failure: as a test (.test.ts), or as a case for --only (.json)")
    .option("--json", "print the report as JSON", false)
    .addOption(new Option("--mutation <name>", "put a defect into the runtime, to see that it is found").hideHelp())
    .addHelpText(
      "after",
      examples(
        "synod sim system.ts --seeds 1000",
        "synod sim system.ts --seed 42 --trace --html run.html",
        "synod sim system.ts --seed 42 --save overbooked.test.ts",
      ),
    )
    .action(ending(sim as (file: string, options: SimOptions) => Promise<unknown>));
}

export function addCapacity(synod: Command): void {
  command(synod, "capacity", "find the highest load that a system carries, and what it does beyond it")
    .argument("<target>", "the file that declares the system, which is started for it; or the URL of one that runs")
    .requiredOption(
      "--slo <objective>",
      "what has to hold for a load to count as carried, such as p99=50ms",
      readObjective,
    )
    .option("--scenario <file>", "a scenario whose workload is asked for (default: made from the interfaces)")
    .option(
      "--nodes <count>",
      "how many nodes (default: one for each processor that the load leaves, at most 3); 1..3: the capacity of each number, and a law fitted to them",
      readRange,
    )
    .option("--store <url>", "where state lives: sqlite:PATH (default: one of its own, removed at the end)")
    .option(
      "--runs <count>",
      "search so many times, each on the system started anew; give the median and the spread",
      readCount,
      1,
    )
    .option("--trial <duration>", "how long a load is offered while it counts", readDuration, "2.5s")
    .option("--timeout <duration>", "how long a caller waits for his answer", readDuration, "1s")
    .option("--from <rate>", "calls per second that the search begins with", readRate, 50)
    .option("--at-most <rate>", "offer no more than so many calls per second", readRate, 200_000)
    .option("--keys <count>", "entities of each keyed service that are asked", readKeys, 1_000)
    .option("--load-processes <count>", "how many processes the load comes from", readCount, loadProcessesDefault)
    .option("--header <line>", "a header of every request, such as authorization; several are possible", collect, [])
    .option("--no-curve", "do not offer multiples of the capacity")
    .option("--compare", "offer the same with load control off", false)
    .option("--html <file>", "write a page with pictures")
    .option("--pictures <folder>", "write the pictures, as SVG files")
    .option("--json", "print the report as JSON", false)
    .addHelpText(
      "after",
      examples(
        "synod capacity system.ts --slo p99=50ms --html capacity.html",
        "synod capacity system.ts --slo p99=50ms --nodes 1..3 --compare",
        "synod capacity system.ts --slo p99=50ms --runs 5 --no-curve   # how well the figure is repeated",
        "synod capacity http://127.0.0.1:8080 --slo p95=200ms --no-curve --json | jq .capacity.perSecond",
      ),
    )
    .action(ending((target: string, options: CapacityCommandOptions) => capacity(target, options)));
}

export function addDrill(synod: Command): void {
  command(
    synod,
    "drill",
    "inject faults into a system's nodes while callers use it; say what they felt and what was lost",
  )
    .argument("<target>", "the file that declares the system, which is started for it; or the URL of one that runs")
    .option("--faults <kinds>", "which, in turn: kill, pause, cut, slow-store", "kill,pause,cut,slow-store")
    .option("--minutes <minutes>", "how long calls are made", readMinutes, 5)
    .option("--every <duration>", "how much time there is between faults", readDuration, "20s")
    .option("--lasts <duration>", "how long a pause lasts, and the slowness of a store", readDuration, "5s")
    .option("--rate <rate>", "calls per second", readRate, 100)
    .option("--timeout <duration>", "how long a caller waits for his answer, with all repeats", readDuration, "10s")
    .option("--scenario <file>", "a scenario whose workload is asked for (default: made from the interfaces)")
    .option(
      "--ledger-only",
      "ask only the ledger that belongs to the drill, nothing of the system's own services",
      false,
    )
    .option("--keys <count>", "entities of each keyed service that are asked", readKeys, 1_000)
    .option("--header <line>", "a header of every request, such as authorization; several are possible", collect, [])
    .option("--nodes <count>", "how many nodes to start (default: 3)", readCount)
    .option("--store <url>", "where the state of a system that is started lies (default: removed at the end)")
    .option("--seed <seed>", "what chance begins with: who is struck, and what is asked for", readSeed, 1)
    .option("--history <file>", "where everything that was asked and heard is written (default: in .synod)")
    .option("--html <file>", "write a page with pictures")
    .option("--pictures <folder>", "write the pictures, as SVG files")
    .option("--json", "print the report as JSON", false)
    .addHelpText(
      "after",
      examples(
        "synod drill system.ts --faults kill --minutes 10 --every 20s",
        "synod up system.ts --drills   # and in another terminal, in the same folder:",
        "synod drill http://127.0.0.1:8080 --faults kill,pause --minutes 5 --html drill.html",
      ),
    )
    .addHelpText("after", "\nExit code 1: something was lost, or took effect twice.")
    .action(ending((target: string, options: DrillCommandOptions) => drill(target, options)));
}
