/**
 * The way in: calls of inbound adapters are checked, bounded, given an id and a deadline, and routed. What is
 * wrong with a call is said before anything is decoded or queued.
 */
import { callersFaults, SynodError, toSynodError } from "../errors.ts";
import type {
  CallOutline,
  Gateway,
  GatewayCall,
  GatewayError,
  GatewayReply,
  ServiceDescription,
} from "../ports/gateway.ts";
import { describeService } from "../service/description.ts";
import type { AnyService } from "../service/model.ts";
import { hashParts } from "../values/hash.ts";
import { timedKeyTime } from "../values/ids.ts";
import { notAmong } from "../values/nearest.ts";
import { rankOf } from "../values/priority.ts";
import type { Environment } from "./environment.ts";
import { foreignTarget } from "./foreign.ts";
import { type CommandId, commandHash, type Invocation, nameOfTarget, type Target } from "./invocation.ts";
import { KeyUptime } from "./key-uptime.ts";
import { checkKey } from "./outgoing.ts";
import { failed, forCallers } from "./replies.ts";
import type { Router } from "./router.ts";

/** Length of an idempotency key from outside. */
const idempotencyKeyLengthMax = 255;
/** Suggested to callers who come while the node is at its bound, ms. */
const retryAfterMs = 1_000;

export class NodeGateway implements Gateway {
  readonly system: string;
  readonly services: readonly ServiceDescription[];
  readonly timeoutMaxMs: number;
  state: Gateway["state"] = "starting";
  readonly #environment: Environment;
  readonly #router: Router;
  readonly #services: ReadonlyMap<string, AnyService>;
  #callsInFlight = 0;
  #inputBytes = 0;
  #requests = 0;
  readonly #requestPrefix: string;
  #whenIdle: (() => void)[] = [];
  /** Of the keys that were called through this node; followed where an availability is promised. */
  readonly keyUptime: KeyUptime = new KeyUptime();
  readonly #followsKeys: boolean;

  constructor(environment: Environment, router: Router) {
    this.#environment = environment;
    this.#router = router;
    this.system = environment.system.name;
    this.timeoutMaxMs = environment.limits.timeoutMaxMs;
    this.services = environment.system.services.map(describeService);
    this.#services = new Map(environment.system.services.map((service) => [service.interface.name, service]));
    this.#followsKeys = environment.system.availability !== undefined;
    this.#requestPrefix = Buffer.from(environment.random.bytes(9)).toString("base64url");
  }

  get callsInFlight(): number {
    return this.#callsInFlight;
  }

  /** Bytes of the inputs of calls in flight. */
  get inputBytes(): number {
    return this.#inputBytes;
  }

  isHostedElsewhere(service: string): boolean {
    return !this.#services.has(service) && this.#router.hostedElsewhere(service).length > 0;
  }

  /** Resolves when no call is in flight. */
  idle(): Promise<void> {
    if (this.#callsInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  async call(call: GatewayCall): Promise<GatewayReply> {
    const bytes = call.input?.length ?? 0;
    const { clock, meters } = this.#environment;
    const arrivedAt = clock.monotonic();
    let invocation: Invocation;
    try {
      invocation = this.#invocation(call, arrivedAt);
    } catch (error) {
      return failed(toSynodError(error, "not-happened"));
    }
    const meter = meters.of(invocation.target.service, invocation.target.name);
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      meter.shed("bound");
      return failed(refusal);
    }
    this.#callsInFlight += 1;
    this.#inputBytes += bytes;
    let reply: GatewayReply;
    try {
      reply = forCallers(await this.#router.dispatch(invocation));
    } catch (error) {
      // The router answers with replies; anything else is a bug of ours, and nobody knows how far it got.
      this.#environment.log.error("a call failed inside the runtime", { error });
      reply = failed(toSynodError(error, "unknown"));
    }
    const answeredAt = clock.monotonic();
    meter.answered(reply.ok ? "ok" : reply.error.code, answeredAt - arrivedAt);
    if (this.#followsKeys) this.#noteKey(invocation.target, reply, answeredAt);
    this.#callsInFlight -= 1;
    this.#inputBytes -= bytes;
    if (this.#callsInFlight === 0) for (const wake of this.#whenIdle.splice(0)) wake();
    return reply;
  }

  /** What is the caller's own fault says nothing about a key. */
  #noteKey({ service, key }: Target, reply: GatewayReply, now: number): void {
    if (key === null) return;
    const good = reply.ok || reply.error.declared;
    if (!good && callersFaults.has(reply.error.code)) return;
    this.keyUptime.answered(service.interface.name, key, good, now);
  }

  get hasLease(): boolean {
    return this.#environment.lease.valid;
  }

  connected(): void {
    this.#environment.load.connected();
  }

  get busy(): boolean {
    return this.#environment.load.control.queued > 0;
  }

  refusal({ service, key, operation, caller = "", priority, timeoutMs }: CallOutline): GatewayError | undefined {
    const { load, clock, limits, meters } = this.#environment;
    const known = this.#services.get(service);
    // What this node does not host it carries out in no case.
    if (known === undefined || this.#router.passesOn(known, key)) return undefined;
    const { operations } = known.interface;
    const declared = Object.hasOwn(operations, operation) ? operations[operation]!.priority : "normal";
    const deadline = clock.monotonic() + (timeoutMs ?? limits.timeoutDefaultMs);
    const refused = load.refusal(rankOf(declared, priority), caller, deadline);
    if (refused !== undefined) meters.of(known, operation).shed("queue");
    return refused;
  }

  #refusal(bytes: number): SynodError | undefined {
    if (this.state === "starting" || this.state === "stopped") {
      return new SynodError("unavailable", `this node is ${this.state}`, { retryAfterMs });
    }
    const { limits, counters } = this.#environment;
    const full =
      this.#callsInFlight >= limits.callsInFlightMax ||
      this.#inputBytes + bytes > limits.inputBytesInFlightMax ||
      counters.undurableBytes > limits.undurableBytesMax;
    if (!full) return undefined;
    return new SynodError("resource_exhausted", "this node has all the work it can hold", { retryAfterMs });
  }

  #invocation(call: GatewayCall, arrivedAt: number): Invocation {
    const target = this.#target(call);
    if (call.existing !== undefined && !target.operation.durable) {
      throw new SynodError("not_found", `${nameOfTarget(target)} is not durable: its outcome is kept for repeats only`);
    }
    return {
      target,
      input: call.input,
      requestId: `${this.#requestPrefix}-${++this.#requests}`,
      principal: call.principal,
      rank: rankOf(target.operation.priority, call.priority),
      caller: call.caller ?? call.principal,
      id: target.operation.kind === "command" ? this.#commandId(call) : null,
      deadline: arrivedAt + this.#timeout(call.timeoutMs),
      signal: call.signal,
      traceparent: call.traceparent,
      waitFor: call.waitFor,
      existing: call.existing && true,
    };
  }

  #target({ service: serviceName, key, operation: name }: GatewayCall): Target {
    const service = this.#services.get(serviceName);
    if (service === undefined && this.isHostedElsewhere(serviceName)) return foreignTarget(serviceName, key, name);
    if (service === undefined) {
      throw notAmong(`no service ${serviceName}`, serviceName, [...this.#services.keys()]);
    }
    const { operations } = service.interface;
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (operation === undefined) {
      throw notAmong(`${serviceName} has no operation ${name}`, name, Object.keys(operations));
    }
    if (service.interface.key === undefined) {
      if (key !== undefined) throw new SynodError("invalid_argument", `${serviceName} is stateless: it takes no key`);
      return { service, key: null, name, operation };
    }
    if (key === undefined) throw new SynodError("invalid_argument", `${serviceName} needs a key`);
    return { service, key: checkKey(service.interface, key), name, operation };
  }

  #timeout(timeoutMs: number | undefined): number {
    const { timeoutDefaultMs, timeoutMaxMs } = this.#environment.limits;
    if (timeoutMs === undefined) return timeoutDefaultMs;
    if (timeoutMs > 0 && timeoutMs <= timeoutMaxMs) return timeoutMs;
    throw new SynodError(
      "invalid_argument",
      `the timeout must be more than 0 and at most ${timeoutMaxMs} ms, not ${timeoutMs}`,
    );
  }

  /** Scoped, so that one caller's keys never meet another's, nor those of another entity or operation. */
  #commandId(call: GatewayCall): CommandId | null {
    const { idempotencyKey, principal, service, key, operation, input } = call;
    if (call.existing !== undefined && idempotencyKey === undefined) {
      throw new SynodError("invalid_argument", "an outcome is asked for by the idempotency key of its command");
    }
    if (idempotencyKey === undefined) return null;
    if (idempotencyKey.length === 0 || idempotencyKey.length > idempotencyKeyLengthMax) {
      const message = `an idempotency key has 1 to ${idempotencyKeyLengthMax} characters, not ${idempotencyKey.length}`;
      throw new SynodError("invalid_argument", message);
    }
    const keyTime = timedKeyTime(idempotencyKey);
    const { clock, limits } = this.#environment;
    if (keyTime !== null && keyTime > clock.wall() + limits.timedKeyAheadMaxMs) {
      throw new SynodError("invalid_argument", "the idempotency key lies in the future: check the clock that made it");
    }
    return {
      hash: commandHash(keyTime, principal, service, key ?? "", operation, idempotencyKey),
      inputHash: call.existing?.inputHash ?? hashParts(input ?? ""),
      keyTime,
    };
  }
}
