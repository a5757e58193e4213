/** Nodes reduced to their links, for tests: real drivers on a real network, with a handler of the test's choice. */
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import type { LinkLimits } from "../../src/core/link/limits.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Network } from "../../src/ports/network.ts";
import type { InboundCall, LinkRequest } from "../../src/runtime/links/calls.ts";
import { Links, type LinksOptions } from "../../src/runtime/links/links.ts";
import type { LinkStatistics } from "../../src/runtime/links/statistics.ts";
import type { CallBody, ReplyBody } from "../../src/wire/frames.ts";

/** Much longer than anything here takes. */
const deadlineMs = 10_000;

export const secret = new TextEncoder().encode("the secret of the tests: 32 bytes");

export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export interface NodeOptions {
  readonly limits?: Partial<LinkLimits>;
  readonly network?: Network;
  readonly versions?: { readonly min: number; readonly max: number };
  readonly system?: string;
  readonly secret?: Uint8Array;
  readonly onCall?: LinksOptions["onCall"];
  /** Where to listen; a free port if absent. */
  readonly address?: string;
  /** False: the node does not know its incarnation yet. */
  readonly identified?: boolean;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A node and what it saw. */
export class TestNode implements AsyncDisposable {
  readonly node: string;
  readonly incarnation: number;
  readonly links: Links;
  readonly calls: InboundCall[] = [];
  readonly log: LogLine[] = [];
  address = "";

  constructor(node: string, incarnation: number, options: NodeOptions) {
    this.node = node;
    this.incarnation = incarnation;
    const onCall = options.onCall ?? echo;
    this.links = new Links({
      system: options.system ?? "bank",
      node,
      secret: options.secret ?? secret,
      network: options.network ?? tcpNetwork(),
      clock: systemClock,
      random: systemRandom,
      log: this.#logger(),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.versions === undefined ? {} : { versions: options.versions }),
      onCall: (call) => {
        this.calls.push(call);
        return onCall(call);
      },
    });
  }

  get member(): { node: string; incarnation: number; address: string } {
    return { node: this.node, incarnation: this.incarnation, address: this.address };
  }

  call(to: TestNode, body: Partial<CallBody> = {}, request: Partial<LinkRequest> = {}): Promise<ReplyBody> {
    const deadline = systemClock.monotonic() + deadlineMs;
    return this.links.call(to.incarnation, { body: bodyOf(body), deadline, priority: 1, ...request });
  }

  /** The link that this node dialled to the other one. */
  dialled(to: TestNode): LinkStatistics {
    const found = this.links
      .statistics()
      .find((link) => link.direction === "dialled" && link.incarnation === to.incarnation);
    if (found === undefined) throw new Error(`${this.node} does not dial ${to.node}`);
    return found;
  }

  accepted(): readonly LinkStatistics[] {
    return this.links.statistics().filter(({ direction }) => direction === "accepted");
  }

  /** Whether a log line names this cause. */
  logged(cause: string): boolean {
    return this.log.some(({ fields }) => fields.cause === cause);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.links.close("the test is over");
  }

  #logger(): Log {
    const write = (level: string) => (message: string, fields?: Record<string, unknown>) => {
      this.log.push({ level, message, fields: fields ?? {} });
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

export async function startNode(node: string, incarnation: number, options: NodeOptions = {}): Promise<TestNode> {
  const started = new TestNode(node, incarnation, options);
  started.address = await started.links.listen(options.address ?? "127.0.0.1:0");
  if (options.identified !== false) started.links.identify(incarnation);
  return started;
}

/** Answers with its input. */
export async function echo(call: InboundCall): Promise<ReplyBody> {
  return { kind: "ok", output: call.body.input, replayed: false };
}

export function bodyOf(change: Partial<CallBody> = {}): CallBody {
  return {
    service: "account",
    key: "alice",
    operation: "deposit",
    epoch: undefined,
    identity: undefined,
    command: undefined,
    request: "",
    principal: "",
    traceparent: undefined,
    input: undefined,
    ...change,
  };
}
