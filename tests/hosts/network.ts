/**
 * Hosts on one machine: each is a network namespace of Linux with a cable to a room in the middle, which passes packets on
 * from one to another, and where whoever runs this is at home. What happens to cables and between hosts is said here: a packet
 * that is cut is dropped without a word to anybody, as a broken switch would.
 *
 * Needs root, and `ip` and `tc` of iproute2.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { delimiter } from "node:path";
import { toSynodError } from "../../src/errors.ts";
import type { ServerHost } from "../postgres/server.ts";

/** User and group `nobody` of Linux. */
const nobody = "65534";

export interface Host extends ServerHost {
  readonly name: string;
  /** What is put before a program to run it there as root. */
  readonly rootCommand: readonly string[];
}

/** Programs of administrators may lie where a user's path does not look. */
const env = { ...process.env, PATH: [process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter) };

/** Why there can be no such networks here; undefined when there can. */
export function obstacle(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  try {
    tryOut(`synod-try-${process.pid}`);
    return undefined;
  } catch (error) {
    return toSynodError(error).message.trim().replaceAll("\n", " ");
  }
}

/** Everything once that the faults do, with a single host. */
function tryOut(prefix: string): void {
  const room = build(prefix, ["a"]);
  try {
    const [program, ...words] = room.command;
    const cable = cableOf("a");
    run(program!, ...words, "ip", "rule", "add", "from", addressOf(0), "to", addressOf(1), "blackhole");
    run(program!, ...words, "tc", "qdisc", "add", "dev", cable, "root", "tbf", ...slowed(1_000));
    run("nsenter", `--net=/run/netns/${prefix}-a`, "-S", nobody, "-G", nobody, "--", "true");
  } finally {
    room.remove();
  }
}

/** The room in the middle, with everything that hangs on it; removed by `remove`. */
export interface Room {
  /** What is put before a program to run it in the room. */
  readonly command: readonly string[];
  remove(): void;
}

/** Makes the room and its hosts; all names begin with `prefix`. */
export function build(prefix: string, names: readonly string[]): Room {
  const made: string[] = [];
  const remove = (): void => {
    for (const name of made) spawnSync("ip", ["netns", "del", name], { env });
  };
  const add = (name: string): void => {
    run("ip", "netns", "add", name);
    made.push(name);
    run("ip", "-n", name, "link", "set", "lo", "up");
  };
  try {
    add(prefix);
    run("ip", "netns", "exec", prefix, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const [index, name] of names.entries()) {
      const host = `${prefix}-${name}`;
      add(host);
      run("ip", "-n", prefix, "link", "add", cableOf(name), "type", "veth", "peer", "name", "cable", "netns", host);
      run("ip", "-n", prefix, "addr", "add", `10.77.${index + 1}.1/24`, "dev", cableOf(name));
      run("ip", "-n", prefix, "link", "set", cableOf(name), "up");
      run("ip", "-n", host, "addr", "add", `${addressOf(index)}/24`, "dev", "cable");
      run("ip", "-n", host, "link", "set", "cable", "up");
      run("ip", "-n", host, "route", "add", "default", "via", `10.77.${index + 1}.1`);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { command: ["ip", "netns", "exec", prefix], remove };
}

/** The hosts of a room, for whoever runs in it, and what may happen to them. */
export class Hosts {
  readonly all: readonly Host[];

  constructor(prefix: string, names: readonly string[]) {
    this.all = names.map((name, index) => ({
      name,
      address: addressOf(index),
      command: ["nsenter", `--net=/run/netns/${prefix}-${name}`, "-S", nobody, "-G", nobody, "--"],
      rootCommand: ["nsenter", `--net=/run/netns/${prefix}-${name}`, "--"],
    }));
  }

  get(name: string): Host {
    const host = this.all.find((each) => each.name === name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  /** What one host sends to the others is lost; what they send arrives. */
  cut(from: string, ...to: readonly string[]): void {
    for (const name of to) this.#rule("add", from, name);
  }

  /** Nothing passes between the one host and the others, either way. */
  partition(one: string, ...others: readonly string[]): void {
    for (const name of others) {
      this.#rule("add", one, name);
      this.#rule("add", name, one);
    }
  }

  /** Undoes a cut or a partition. */
  repair(one: string, ...others: readonly string[]): void {
    for (const name of others) {
      this.#rule("del", one, name);
      this.#rule("del", name, one);
    }
  }

  /** The host's cable is pulled: nobody hears of it any more, nor does it of anybody. */
  unplug(name: string): void {
    run("ip", "link", "set", cableOf(name), "down");
  }

  plugIn(name: string): void {
    run("ip", "link", "set", cableOf(name), "up");
  }

  /** What the host is sent comes at no more than this rate; what is too much waits for up to a second, and is lost after that. */
  slow(name: string, kilobitsPerSecond: number): void {
    run("tc", "qdisc", "add", "dev", cableOf(name), "root", "tbf", ...slowed(kilobitsPerSecond));
  }

  restoreSpeed(name: string): void {
    run("tc", "qdisc", "del", "dev", cableOf(name), "root");
  }

  #rule(verb: "add" | "del", from: string, to: string): void {
    const words = ["rule", verb, "from", this.get(from).address, "to", this.get(to).address, "blackhole"];
    // Of a one-way cut there is only one to undo.
    if (verb === "del") spawnSync("ip", words, { env });
    else run("ip", ...words);
  }
}

function addressOf(index: number): string {
  return `10.77.${index + 1}.2`;
}

function cableOf(name: string): string {
  return `to-${name}`;
}

function slowed(kilobitsPerSecond: number): readonly string[] {
  return ["rate", `${kilobitsPerSecond}kbit`, "burst", "4kb", "latency", "1s"];
}

function run(program: string, ...words: readonly string[]): void {
  execFileSync(program, words, { env, stdio: ["ignore", "ignore", "pipe"] });
}
