/** Commands that make a project, run its nodes, and make what these need. */
import { type Command, Option } from "commander";
import { adminPortDefault } from "../../admin/server.ts";
import { type CertsOptions, certs } from "../certs.ts";
import { type InitOptions, init } from "../init.ts";
import { defaultNodeId, type NodeCommandOptions, node } from "../node.ts";
import { type UpOptions, up } from "../up.ts";
import { readAdminPort, readCount, readDays, readPort, readSeconds } from "./arguments.ts";
import { command, ending, examples, withEnvironment } from "./command.ts";

export function addInit(synod: Command): void {
  command(synod, "init", "make a new project that works: a keyed service, its test, and its simulation")
    .argument("<folder>", "where it goes: a new folder, or an empty one; the system is called like it")
    .option("--json", "print what was made as JSON", false)
    .addHelpText("after", examples("synod init shop"))
    .action(ending((folder: string, options: InitOptions) => init(folder, options)));
}

export function addUp(synod: Command): void {
  withEnvironment(synod, "up", "run a system on this machine, restart its nodes when they crash, until Ctrl-C")
    .argument("<system>", "the file that declares the system, such as system.ts")
    .option("--store <url>", "where state lives: sqlite:PATH, postgres://… or memory: (default: sqlite:.synod/NAME.db)")
    .option("--nodes <count>", "how many node processes to run", readCount, 3)
    .option("--port <port>", "port of the HTTP adapter instead of its own; 0 takes a free one", readPort)
    .option("--admin-port <port>", "port of the admin API; 0 takes a free one", readPort, adminPortDefault)
    .option("--drain-seconds <seconds>", "how long Ctrl-C lets work in progress finish", readSeconds, 10)
    .option("--drills", "allow `synod drill` to inject faults into the nodes", false)
    .option("--json", "print the ready line as JSON, and log JSON", false)
    .addOption(logFormat())
    .addHelpText(
      "after",
      examples(
        "synod up system.ts",
        "synod up system.ts --port 0 --json | jq .http",
        "synod up system.ts --store sqlite:/var/lib/bank.db",
        "synod up system.ts --store postgres://bank@db.example/bank",
      ),
    )
    .addHelpText("after", tokenHelp)
    .action(ending((system: string, options: UpOptions) => up(system, options)));
}

export function addNode(synod: Command): void {
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
    .option(
      "--admin-port <port>",
      `port of its admin API, on loopback; 0 takes a free one, off has none (default: ${adminPortDefault}, or a free one)`,
      readAdminPort,
    )
    .option("--drain-seconds <seconds>", "how long Ctrl-C lets work in progress finish", readSeconds, 10)
    .option("--json", "print the ready line as JSON, and log JSON", false)
    .addOption(logFormat())
    .addHelpText(
      "after",
      examples(
        "synod node system.ts --store sqlite:/var/lib/bank.db --listen 127.0.0.1:9400 --id node-a",
        "SYNOD_STORE=postgres://bank@db/bank synod node system.ts --id node-a --listen 0.0.0.0:9400 \\\n" +
          "    --advertise host-a:9400 --tls-cert node-a.pem --tls-key node-a-key.pem --tls-ca ca.pem",
      ),
    )
    .addHelpText("after", "\nA flag goes before the environment, and that before the system file's settings.")
    .addHelpText("after", tokenHelp)
    .action(ending((system: string, options: NodeCommandOptions) => node(system, options)));
}

export function addCerts(synod: Command): void {
  command(synod, "certs", "make certificates for the links between machines, and an authority if there is none")
    .argument("<folder>", "where the files go; an authority that is there is used")
    .requiredOption("--nodes <ids>", "the nodes, such as node-a,node-b")
    .option("--system <name>", "whose authority it is", "synod")
    .option("--days <days>", "how long the nodes' certificates hold", readDays, 365)
    .option("--json", "print the files as JSON", false)
    .addHelpText("after", examples("synod certs certs --nodes node-a,node-b,node-c"))
    .action(ending((folder: string, options: CertsOptions) => certs(folder, options)));
}

const tokenHelp =
  "\nThe admin API wants a token: a new one with each start, in the admin file beside the store, or yours (env: SYNOD_ADMIN_TOKEN).";

function logFormat(): Option {
  return new Option("--log-format <format>", "how to log, on standard error")
    .choices(["text", "json"])
    .env("SYNOD_LOG_FORMAT");
}
