/** Commands that look at a running system, talk to it, and do planned work on it. */
import { type Command, Option } from "commander";
import { type AvailabilityOptions, availability } from "../availability.ts";
import { call } from "../call.ts";
import { inspect, status } from "../look.ts";
import { drain, restart } from "../planned-work.ts";
import { type TopOptions, top } from "../top.ts";
import { listWork, type OperateOptions, operateWork, showWork, type WorkFilters, type WorkView } from "../work.ts";
import { readDuration, readInterval, readTimes } from "./arguments.ts";
import { ending, examples, talking } from "./command.ts";

export function addStatus(synod: Command): void {
  talking(synod, "status", "show the running system and its nodes")
    .addHelpText("after", examples("synod status", "synod status --json | jq '.nodes[].status'"))
    .action(ending(status));
}

export function addTop(synod: Command): void {
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

export function addInspect(synod: Command): void {
  talking(synod, "inspect", "show one entity: its durable state, its version and who owns it")
    .argument("<service>", "a keyed service")
    .argument("<key>", "the entity's key")
    .addHelpText("after", examples("synod inspect account alice"))
    .action(ending(inspect));
}

export function addCall(synod: Command): void {
  talking(synod, "call", "call an operation: SERVICE [KEY] OPERATION [JSON]")
    .argument("<service>", "the service")
    .argument("<words...>", "the key of a keyed service, the operation, and its input as JSON (- reads it)")
    .usage("[options] SERVICE [KEY] OPERATION [JSON]")
    .option("--id <key>", "idempotency key: a command takes effect at most once under it")
    .option("--timeout <duration>", "how long to wait for the answer, such as 500ms or 5s", readDuration)
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

export function addWork(synod: Command, view: WorkView, what: string): void {
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

export function addDrain(synod: Command): void {
  talking(synod, "drain", "hand everything of a node over to the others, without a failed request, and end it")
    .argument("<node>", "the node, as `synod status` names it")
    .addHelpText("after", examples("synod drain node-2", "synod restart node-2   # brings it back"))
    .action(ending(drain));
}

export function addRestart(synod: Command): void {
  talking(synod, "restart", "restart nodes one after the other, without a failed request")
    .argument("[node]", "one node, as `synod status` names it")
    .option("--rolling", "all nodes, one after the other", false)
    .addHelpText("after", examples("synod restart --rolling", "synod restart node-2"))
    .action(ending(restart));
}

export function addAvailability(synod: Command): void {
  talking(synod, "availability", "show the nines of the running system, as probers outside its nodes see them")
    .option("--html <file>", "write a page with pictures")
    .option("--pictures <folder>", "write the pictures, as SVG files")
    .addHelpText("after", examples("synod availability", "synod availability --html availability.html"))
    .action(ending((options: AvailabilityOptions) => availability(options)));
}

function filtered(work: Command, view: WorkView): Command {
  work
    .option("--service <name>", "of the entities of this service")
    .option("--key <key>", "of the entities with this key")
    .option("--older-than <duration>", "accepted or sent longer ago, such as 5m or 2h", readDuration);
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
