/**
 * Scenarios of the link session. Two sides, `a` and `b`, each with a session; what they send lies on the
 * wire between them until it is delivered.
 *
 *     link a dialler expects=b/2 callsMax=2    makes a side's session (options: limits, node, incarnation, system,
 *                                              secret, versions=1-2, dial)
 *     at 500 [taken=10]                        sets the time; sessions that wanted to be woken by then tick
 *     a call c1 bytes=10 deadline=500          inputs of the session: call, cancel, reply, window, drain, close,
 *                                              connected, blocked, drained, ended, gone, breach, tick
 *     a > b [2]                                delivers all that a sent to b, or that many frames
 *     a frame reply number=9 body=x            delivers a frame to a that nobody sent
 *     drop a 1                                 loses that many frames that a sent
 *     new                                      starts over, at time 0
 *     open                                     starts over with both sides, which shake hands silently
 *     show a                                   phase and figures
 */
import { defaultLinkLimits, type LinkLimits } from "../../src/core/link/limits.ts";
import type {
  LinkCause,
  LinkEffect,
  LinkInput,
  Prover,
  ReceivedFrame,
  SentFrame,
} from "../../src/core/link/messages.ts";
import { step, wakeAt } from "../../src/core/link/session.ts";
import { createLinkSession, type LinkSession } from "../../src/core/link/state.ts";
import { type Command, type Interpreter, scenarios } from "./interpreter.ts";

interface Call {
  readonly name: string;
  readonly deadline: number;
  readonly bytes: number;
  readonly priority: number;
}

interface Types {
  readonly call: Call;
  readonly inbound: { kind: "call"; number: number; remainingMs: number; bytes: number; name: string };
  readonly reply: string;
}

interface Side {
  readonly session: LinkSession<Types>;
  readonly sent: SentFrame<Types>[];
  readonly calls: Map<string, Call>;
}

scenarios(new URL("./link/", import.meta.url), linkInterpreter);

function linkInterpreter(): Interpreter {
  const sides = new Map<string, Side>();
  let now = 0;
  const sideOf = (name: string): Side => sides.get(name) ?? raise(`there is no side ${name}`);
  const apply = (name: string, input: LinkInput<Types>): string[] => {
    const side = sideOf(name);
    return step(side.session, input, now).map((effect) => {
      if (effect.kind === "send") side.sent.push(effect.frame);
      return `${name}: ${describe(effect)}`;
    });
  };
  const deliver = (from: string, to: string, count: number): string[] => {
    const frames = sideOf(from).sent.splice(0, count).map(receivedOf);
    return frames.flatMap((frame) => apply(to, { kind: "frame", frame }));
  };
  const make = (name: string, command: Command, role: string): string[] => {
    sides.set(name, makeSide(name, command, role, now));
    return [];
  };

  return (command) => {
    const [first, second, third] = command.words;
    switch (first) {
      case "link":
        return make(command.word(1), command, command.word(2));
      case "new":
        sides.clear();
        now = 0;
        return [];
      case "drop":
        sideOf(command.word(1)).sent.splice(0, Number(command.word(2)));
        return [];
      case "open":
        now = 0;
        make("a", command, "dialler");
        make("b", command, "acceptor");
        apply("a", { kind: "connected" });
        deliver("a", "b", 9);
        deliver("b", "a", 9);
        deliver("a", "b", 9);
        return [];
      case "at":
        now = Number(command.word(1));
        return [...sides].flatMap(([name, { session }]) =>
          wakeAt(session) <= now ? apply(name, { kind: "tick", takenBytes: command.number("taken", 0) }) : [],
        );
      case "show":
        return [`${second}: ${show(sideOf(command.word(1)).session)}`];
      default:
    }
    if (second === ">") return deliver(command.word(0), command.word(2), Number(command.words[3] ?? 99));
    if (second === "frame") return apply(command.word(0), { kind: "frame", frame: rawFrame(command, third) });
    return apply(command.word(0), inputOf(command, sideOf(command.word(0))));
  };
}

const limitNames = Object.keys(defaultLinkLimits) as (keyof LinkLimits)[];

function makeSide(name: string, command: Command, role: string, now: number): Side {
  const limits: LinkLimits = { ...defaultLinkLimits, ...command.numbers(limitNames) };
  const [versionMin = 1, versionMax = 1] = (command.option("versions") ?? "1-1").split("-").map(Number);
  const node = command.option("node") ?? name;
  const incarnation = command.number("incarnation", name === "a" ? 1 : 2);
  const dial = command.number("dial", 1);
  const system = command.option("system") ?? "bank";
  const nonce = new TextEncoder().encode(`nonce of ${name}`);
  const { frameBytesMax, callsMax, callBytesMax } = limits;
  const [expectedNode, expectedIncarnation] = (command.option("expects") ?? "b/2").split("/");
  const session = createLinkSession<Types>(
    {
      role: role === "dialler" ? "dialler" : "acceptor",
      limits,
      hello: {
        kind: "hello",
        versionMin,
        versionMax,
        system,
        node,
        incarnation,
        dial,
        nonce,
        frameBytesMax,
        callsMax,
        callBytesMax,
      },
      expected: role === "dialler" ? { node: expectedNode!, incarnation: Number(expectedIncarnation) } : undefined,
      prover: plainProver(command.option("secret") ?? "sesame"),
      headBytesMax: 1024,
    },
    now,
  );
  return { session, sent: [], calls: new Map() };
}

/** Covers what a real proof covers, and can be read. */
function plainProver(secret: string): Prover {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    prove: (role, version, dialler, acceptor) => {
      const hellos = [dialler, acceptor].map((hello) => JSON.stringify({ ...hello, nonce: text(hello.nonce) }));
      return new TextEncoder().encode([secret, role, version, ...hellos].join("|"));
    },
    same: (one, other) => text(one) === text(other),
  };
}

/** A frame as it arrives: what the driver writes and reads in between is not looked at here. */
function receivedOf(frame: SentFrame<Types>): ReceivedFrame<Types> {
  if (frame.kind === "pong") return { ...frame, load: 0 };
  if (frame.kind !== "call") return frame;
  const { number, remainingMs, call } = frame;
  return { kind: "call", number, remainingMs, bytes: call.bytes, name: call.name };
}

function rawFrame(command: Command, kind: string | undefined): ReceivedFrame<Types> {
  const number = command.number("number", 0);
  switch (kind) {
    case "call":
      return {
        kind,
        number,
        remainingMs: command.number("remaining", 1_000),
        bytes: command.number("bytes", 0),
        name: "raw",
      };
    case "reply":
      return { kind, number, body: command.option("body") ?? "ok" };
    case "proof":
      return { kind, proof: new TextEncoder().encode(command.option("proof") ?? "guess") };
    case "credit":
      return { kind, number, callsMax: command.number("calls"), callBytesMax: command.number("bytes") };
    case "goodbye":
      return {
        kind,
        accepted: command.number("accepted", 0),
        cause: command.option("cause") ?? "stopped",
        message: "raw",
      };
    case "cancel":
    case "ping":
    case "chunk":
      return { kind, number };
    case "pong":
      return { kind, number, load: command.number("load", 0) };
    default:
      return raise(`no frame ${kind}`);
  }
}

function inputOf(command: Command, side: Side): LinkInput<Types> {
  const kind = command.word(1);
  switch (kind) {
    case "call": {
      const priority = command.number("priority", 1);
      const call = {
        name: command.word(2),
        deadline: command.number("deadline", 10_000),
        bytes: command.number("bytes", 0),
        priority,
      };
      side.calls.set(call.name, call);
      return { kind, call };
    }
    case "cancel":
      return { kind, call: side.calls.get(command.word(2)) ?? raise("no such call") };
    case "reply":
      return { kind, number: Number(command.word(2)), body: command.words[3] ?? "ok" };
    case "window":
      return { kind, callsMax: command.number("calls"), callBytesMax: command.number("bytes") };
    case "blocked":
      return { kind, bufferedBytes: command.number("buffered", 0), takenBytes: command.number("taken", 0) };
    case "tick":
      return { kind, takenBytes: command.number("taken", 0) };
    case "close":
      return { kind, cause: command.word(2) as LinkCause, message: command.words[3] ?? "because" };
    case "gone":
    case "breach":
    case "drain":
      return { kind, message: command.words[2] ?? "because" };
    case "connected":
    case "heard":
    case "drained":
    case "ended":
      return { kind };
    default:
      return raise(`no input ${kind}`);
  }
}

function describe(effect: LinkEffect<Types>): string {
  switch (effect.kind) {
    case "send":
      return `send ${describeFrame(effect.frame)}`;
    case "opened":
      return `opened ${effect.peer.node}/${effect.peer.incarnation} with version ${effect.version}`;
    case "deliver":
      return `deliver ${effect.frame.number} (${effect.frame.name}) until ${effect.deadline}`;
    case "withdraw":
      return `withdraw ${effect.number}`;
    case "settle":
      return `settle ${effect.call.name} with ${effect.body}`;
    case "fail":
      return `fail ${effect.call.name} ${effect.failure.code} ${effect.failure.sent ? "sent" : "not sent"}: ${effect.failure.message}`;
    case "closing":
      return `closing ${effect.cause}${effect.planned ? " as planned" : ""}: ${effect.message}`;
    case "destroy":
      return `destroy: ${effect.message}`;
    default:
      return effect.kind;
  }
}

function describeFrame(frame: SentFrame<Types>): string {
  switch (frame.kind) {
    case "hello":
      return `hello from ${frame.node}/${frame.incarnation}`;
    case "proof":
      return "proof";
    case "call":
      return `call ${frame.number} (${frame.call.name}) with ${frame.remainingMs} ms left`;
    case "reply":
      return `reply ${frame.number} ${frame.body}`;
    case "credit":
      return `credit for ${frame.callsMax} calls and ${frame.callBytesMax} bytes`;
    case "goodbye":
      return `goodbye ${frame.cause}, accepted ${frame.accepted}: ${frame.message}`;
    default:
      return `${frame.kind} ${frame.number}`;
  }
}

function show({
  phase,
  calls,
  inFlight,
  inFlightBytes,
  queue,
  inbound,
  inboundBytes,
  figures,
}: LinkSession<Types>): string {
  const outgoing = `${calls.size} calls, ${queue.length} queued, ${inFlight.size} in flight (${inFlightBytes} bytes)`;
  const wait = `waited ${figures.queueWaitTotalMs} ms in all, ${figures.queueWaitMaxMs} at most`;
  return `${phase}; ${outgoing}; ${inbound.size} to answer (${inboundBytes} bytes); round trip ${figures.roundTripMs}; ${wait}`;
}

function raise(message: string): never {
  throw new Error(message);
}
