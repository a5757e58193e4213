/** The command line: what commands there are, how they are written, and how they end. */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type AvailabilityOptions, availability } from "./availability.ts";
import { call } from "./call.ts";
import { type CapacityCommandOptions, capacity } from "./capacity/capacity.ts";
import { type CertsOptions, certs } from "./certs.ts";
import { type CheckOptions, check } from "./check.ts";
import { exitCodes, reportFailure } from "./exit.ts";
import { inspect, status } from "./look.ts";
import { defaultNodeId, type NodeCommandOptions, node } from "./node.ts";
import { openapi } from "./openapi.ts";
import { drain, restart } from "./planned-work.ts";
import { type SimOptions, sim } from "./sim/sim.ts";
import { type TopOptions, top } from "./top.ts";
import { type UpOptions, up } from "./up.ts";
import { listWork, type OperateOptions, operateWork, showWork, type WorkFilters, type WorkView } from "./work.ts";

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

let verbose = false;
let exitCode: number = exitCodes.done;

/** Remembers whether a command was asked to be verbose, and the exit code that it resolved with, if any. */
function ending(action: (...words: never[]) => Promise<unknown>): (...words: unknown[]) => Promise<void> {
  return async (...words) => {
    verbose = (words.at(-1) as Command).opts<{ verbose: boolean }>().verbose;
    const code = await action(...(words as never[]));
    if (typeof code === "number") exitCode = code;
  };
}

function program(): Command {
  const synod = new Command("synod")
    .description("Runs distributed systems that are written in plain TypeScript.")
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(add --help for more)")
    .addHelpText("after", exitHelp)
    .exitOverride();
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
  addOpenapi(synod);
  addCheck(synod);
  addSim(synod);
  addCapacity(synod);
  addAvailability(synod);
  return synod;
}

function addUp(synod: Command): void {
  withEnvironment(synod, "up", "run a system on this machine, restart its nodes when they crash, until Ctrl-C")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .option("--store <url>", "where state lives: sqlite:PATH, postgres://… or memory: (default: sqlite:.synod/NAME.db)")
    .option("--nodes <count>", "how many node processes to run", readCount, 3)
    .option("--port <port>", "port of the HTTP adapter instead of its own; 0 takes a free one", readPort)
    .option("--admin-port <port>", "port of the admin API; 0 takes a free one", readPort, 9470)
    .option("--drain-seconds <seconds>", "how long Ctrl-C lets work in progress finish", readSeconds, 10)
    .option("--json", "print the ready line as JSON, and log JSON", false)
    .addOption(
      new Option("--log-format <format>", "how to log, on standard error")
        .choices(["text", "json"])
        .env("SYNOD_LOG_FORMAT"),
    )
    .addHelpText(
      "after",
      examples(
        "synod up system.ts",
        "synod up system.ts --port 0 --json | jq .http",
        "synod up system.ts --store sqlite:/var/lib/bank.db",
        "synod up system.ts --store postgres://bank@db.example/bank",
      ),
    )
    .action(ending((system: string, options: UpOptions) => up(system, options)));
}

function addStatus(synod: Command): void {
  talking(synod, "status", "show the running system and its nodes")
    .addHelpText("after", examples("synod status", "synod status --json | jq '.nodes[].status'"))
    .action(ending(status));
}

function addTop(synod: Command): void {
  talking(synod, "top", "show the load of the running system, node by node and operation by operation, as it changes")
    .option("--interval <seconds>", "how often to look", readInterval, 1)
    .option("--count <times>", "how many times to look (default: until Ctrl-C)", readTimes)
    .addHelpText(
      "after",
      examples(
        ...["synod top", "synod top --count 1", "synod top --json | jq '.operations[].perSecond'"],
        "synod top --json | jq '.links[] | {from, node, roundTripMs}'",
      ),
    )
    .action(ending((options: TopOptions) => top(options)));
}

function addInspect(synod: Command): void {
  talking(synod, "inspect", "show one entity: its durable state, its version and who owns it")
    .argument("<service>", "a keyed service")
    .argument("<key>", "the entity's key")
    .addHelpText("after", examples("synod inspect account alice"))
    .action(ending(inspect));
}

function addCall(synod: Command): void {
  talking(synod, "call", "call an operation: SERVICE [KEY] OPERATION [JSON]")
    .argument("<service>", "the service")
    .argument("<words...>", "the key of a keyed service, the operation, and its input as JSON (- reads it)")
    .usage("[options] SERVICE [KEY] OPERATION [JSON]")
    .option("--id <key>", "idempotency key: a command takes effect at most once under it")
    .option("--timeout <duration>", "how long to wait for the answer, such as 500ms or 5s")
    .addHelpText(
      "after",
      examples(
        `synod call account alice deposit '{"amount":500}'`,
        "synod call account alice balance",
        `synod call rates quote '{"from":"EUR","to":"USD"}'`,
        `synod call account alice withdraw '{"amount":100}' --id order-17`,
      ),
    )
    .action(ending(call));
}

function addWork(synod: Command, view: WorkView, what: string): void {
  const group = synod.command(view).description(what).addHelpText("after", workExamples(view));
  filtered(talking(group, "list", `list ${what}`), view)
    .option("--limit <count>", "how many to list", readTimes, 50)
    .option("--after <place>", "go on where an earlier list ended")
    .addHelpText("after", examples(`synod ${view} list --older-than 5m`, `synod ${view} list --json | jq .work`))
    .action(ending((options: WorkFilters) => listWork(view, options)));
  talking(group, "show", "show one with its input, and what it has done so far")
    .argument("<id>", "as the list gives it")
    .addHelpText("after", examples(`synod ${view} show transfer/17/204`))
    .action(ending(showWork));
  const actions = {
    retry: "try again at once, with new attempts",
    drop: "take out for good; what was done is not undone",
  };
  for (const action of ["retry", "drop"] as const) {
    filtered(talking(group, action, actions[action]), view)
      .argument("[ids...]", "as the list gives them")
      .option("--all", "all that the filters let through", false)
      .addHelpText(
        "after",
        examples(`synod ${view} ${action} transfer/17/204`, `synod ${view} ${action} --all --service transfer`),
      )
      .action(ending((ids: string[], options: OperateOptions) => operateWork(view, action, ids, options)));
  }
}

function filtered(work: Command, view: WorkView): Command {
  work
    .option("--service <name>", "of the entities of this service")
    .option("--key <key>", "of the entities with this key")
    .option("--older-than <duration>", "accepted or sent longer ago, such as 5m or 2h");
  if (view === "dead") return work;
  return work.addOption(new Option("--state <state>", "in this state").choices(["waiting", "parked"]));
}

function workExamples(view: WorkView): string {
  const id = "transfer/17/204";
  return examples(
    `synod ${view} list`,
    `synod ${view} show ${id}`,
    `synod ${view} retry ${id}`,
    `synod ${view} drop ${id}`,
  );
}

function addDrain(synod: Command): void {
  talking(synod, "drain", "hand everything of a node over to the others, without a failed request, and end it")
    .argument("<node>", "the node, as `synod status` names it")
    .addHelpText("after", examples("synod drain node-2", "synod restart node-2   # brings it back"))
    .action(ending(drain));
}

function addRestart(synod: Command): void {
  talking(synod, "restart", "restart nodes one after the other, without a failed request")
    .argument("[node]", "one node, as `synod status` names it")
    .option("--rolling", "all nodes, one after the other", false)
    .addHelpText("after", examples("synod restart --rolling", "synod restart node-2"))
    .action(ending(restart));
}

function addSim(synod: Command): void {
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

function addCapacity(synod: Command): void {
  command(synod, "capacity", "find the highest load that a system carries, and what it does beyond it")
    .argument("<target>", "the file that declares the system, which is started for it; or the URL of one that runs")
    .requiredOption("--slo <objective>", "what has to hold for a load to count as carried, such as p99=50ms")
    .option("--scenario <file>", "a scenario whose workload is asked for (default: made from the interfaces)")
    .option("--nodes <count>", "how many nodes; 1..3: the capacity of each number, and a law fitted to them", readRange)
    .option("--store <url>", "where state lives: sqlite:PATH (default: one of its own, removed at the end)")
    .option("--trial <duration>", "how long a load is offered while it counts", "5s")
    .option("--timeout <duration>", "how long a caller waits for his answer", "1s")
    .option("--from <rate>", "calls per second that the search begins with", readRate, 50)
    .option("--at-most <rate>", "offer no more than so many calls per second", readRate, 200_000)
    .option("--keys <count>", "entities of each keyed service that are asked", readKeys, 1_000)
    .option("--load-processes <count>", "how many processes the load comes from", readCount, 2)
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
        "synod capacity http://127.0.0.1:8080 --slo p95=200ms --no-curve --json | jq .capacity.perSecond",
      ),
    )
    .action(ending((target: string, options: CapacityCommandOptions) => capacity(target, options)));
}

function addAvailability(synod: Command): void {
  talking(synod, "availability", "show the nines of the running system, as probers outside its nodes see them")
    .option("--html <file>", "write a page with pictures")
    .option("--pictures <folder>", "write the pictures, as SVG files")
    .addHelpText("after", examples("synod availability", "synod availability --html availability.html"))
    .action(ending((options: AvailabilityOptions) => availability(options)));
}

function addNode(synod: Command): void {
  withEnvironment(synod, "node", "run one node in the foreground, beside others on the same store")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .option("--store <url>", "where state lives, shared by all nodes: sqlite:PATH or postgres://…")
    .option("--listen <address>", "HOST:PORT for links from other nodes; port 0 takes a free one")
    .option("--advertise <address>", "HOST:PORT at which other nodes find this one, if not as it listens")
    .option("--tls-cert <file>", "this node's certificate; needed to listen beyond this machine")
    .option("--tls-key <file>", "its key")
    .option("--tls-ca <file>", "the authorities that certify the system's nodes")
    .option("--id <name>", "the node's name, unique in the system", defaultNodeId())
    .option("--port <port>", "port of the HTTP adapter instead of its own; 0 takes a free one", readPort)
    .option("--drain-seconds <seconds>", "how long Ctrl-C lets work in progress finish", readSeconds, 10)
    .option("--json", "print the ready line as JSON, and log JSON", false)
    .addOption(
      new Option("--log-format <format>", "how to log, on standard error")
        .choices(["text", "json"])
        .env("SYNOD_LOG_FORMAT"),
    )
    .addHelpText(
      "after",
      examples(
        "synod node system.ts --store sqlite:/var/lib/bank.db --listen 127.0.0.1:9400 --id node-a",
        "SYNOD_STORE=postgres://bank@db/bank synod node system.ts --id node-a --listen 0.0.0.0:9400 \\\n" +
          "    --advertise host-a:9400 --tls-cert node-a.pem --tls-key node-a-key.pem --tls-ca ca.pem",
      ),
    )
    .addHelpText("after", "\nA flag goes before the environment, and that before the system file's settings.")
    .action(ending((system: string, options: NodeCommandOptions) => node(system, options)));
}

function addCerts(synod: Command): void {
  command(synod, "certs", "make certificates for the links between machines, and an authority if there is none")
    .argument("<folder>", "where the files go; an authority that is there is used")
    .requiredOption("--nodes <ids>", "the nodes, such as node-a,node-b")
    .option("--system <name>", "whose authority it is", "synod")
    .option("--days <days>", "how long the nodes' certificates hold", readDays, 365)
    .option("--json", "print the files as JSON", false)
    .addHelpText("after", examples("synod certs certs --nodes node-a,node-b,node-c"))
    .action(ending((folder: string, options: CertsOptions) => certs(folder, options)));
}

function readDays(text: string): number {
  const days = Number(text);
  if (!(days > 0 && days <= 3_650)) throw new InvalidArgumentError("Give days, from 1 to 3650.");
  return days;
}

function addOpenapi(synod: Command): void {
  command(synod, "openapi", "print the OpenAPI 3.1 description of a system's HTTP API")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .addHelpText("after", examples("synod openapi system.ts > openapi.json"))
    .action(ending(openapi));
}

function addCheck(synod: Command): void {
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

function collect(name: string, names: readonly string[]): readonly string[] {
  return [...names, name];
}

function command(synod: Command, name: string, description: string): Command {
  return synod
    .command(name)
    .description(description)
    .option("--verbose", "show where errors come from, and log more", false);
}

/**
 * A command whose options that take a value are taken from the environment when no flag says them: `--drain-seconds` from
 * SYNOD_DRAIN_SECONDS. A password in a store URL is out of sight there, where arguments are for everybody on the machine to read.
 */
function withEnvironment(synod: Command, name: string, description: string): Command {
  const made = command(synod, name, description);
  made.createOption = (flags, about) => {
    const option = new Option(flags, about);
    return option.required ? option.env(`SYNOD_${option.name().replaceAll("-", "_").toUpperCase()}`) : option;
  };
  return made;
}

function talking(synod: Command, name: string, description: string): Command {
  return command(synod, name, description)
    .option("--system <name>", "which of several running systems")
    .option("--store <url>", "the store beside which the system's admin file lies")
    .option("--json", "print JSON", false);
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 64)
    throw new InvalidArgumentError("Give a number from 1 to 64.");
  return count;
}

function readRange(text: string): readonly number[] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!(from >= 1 && to >= from && to <= 64)) throw new InvalidArgumentError("Give a number from 1 to 64, or 1..3.");
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

function readRate(text: string): number {
  const rate = Number(text);
  if (!(rate >= 1 && rate <= 200_000)) throw new InvalidArgumentError("Give calls per second, from 1 to 200000.");
  return rate;
}

function readKeys(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 9_999)
    throw new InvalidArgumentError("Give a number from 1 to 9999.");
  return count;
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 1 || seed > 2 ** 31)
    throw new InvalidArgumentError("Give a whole number from 1.");
  return seed;
}

function readTrace(text: string): string {
  if (!["part", "full", "lines"].includes(text)) throw new InvalidArgumentError("Give full or lines, or nothing.");
  return text;
}

function readMinutes(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= 10_000)) throw new InvalidArgumentError("Give minutes, more than 0.");
  return minutes;
}

function readInterval(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw new InvalidArgumentError("Give seconds, from 0.1 to 3600.");
  return seconds;
}

function readTimes(text: string): number {
  const times = Number(text);
  if (!Number.isInteger(times) || times < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return times;
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && seconds <= 3_600)) throw new InvalidArgumentError("Give seconds, from 0 to 3600.");
  return seconds;
}

try {
  await program().parseAsync();
} catch (error) {
  // Commander has said already what was wrong, or printed the help that was asked for.
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  else exitCode = reportFailure(error, verbose);
}
// What the user's own code keeps open must not keep a finished command running.
process.exit(exitCode);
