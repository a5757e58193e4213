/**
 * The beginning of a link: who is there, is it who it says, and which protocol version do both speak?
 *
 * Nothing but a hello, a proof and a goodbye is taken before both sides have proved that they hold the
 * system's secret; anything else closes the connection. The picture is in `wire/handshake.ts`.
 */
import { sendQueued } from "./calls.ts";
import { breach, close, takeGoodbye } from "./closing.ts";
import type { Hello, LinkCause, LinkTypes, ReceivedFrame } from "./messages.ts";
import type { LinkConfig, LinkSession } from "./state.ts";

type Refusal = readonly [cause: LinkCause, message: string];

/** The connection stands: the dialler speaks first. */
export function sayHello<T extends LinkTypes>(session: LinkSession<T>): void {
  session.phase = "hello";
  session.effects.push({ kind: "send", frame: session.config.hello });
}

/** A frame of a peer that has not proved anything yet. */
export function takeUnproven<T extends LinkTypes>(session: LinkSession<T>, frame: ReceivedFrame<T>, now: number): void {
  if (frame.kind === "goodbye") takeGoodbye(session, frame, now);
  else if (frame.kind === "hello" && session.peer === undefined) takeHello(session, frame, now);
  else if (frame.kind === "proof" && session.peer !== undefined) takeProof(session, session.peer, frame.proof, now);
  else breach(session, `a ${frame.kind} before the handshake was complete`, now);
}

function takeHello<T extends LinkTypes>(session: LinkSession<T>, peer: Hello, now: number): void {
  const { config } = session;
  const refusal = refusalOf(config, peer) ?? unprovenRefusal(session.provenNodes, peer);
  if (refusal !== undefined) {
    close(session, refusal[0], refusal[1], now);
    return;
  }
  session.peer = peer;
  session.version = Math.min(config.hello.versionMax, peer.versionMax);
  if (config.role === "dialler") return;
  session.effects.push({ kind: "send", frame: config.hello });
  session.effects.push({ kind: "send", frame: { kind: "proof", proof: proofBy(session, "acceptor", peer) } });
}

function refusalOf(config: LinkConfig, peer: Hello): Refusal | undefined {
  const own = config.hello;
  if (Math.min(own.versionMax, peer.versionMax) < Math.max(own.versionMin, peer.versionMin)) {
    const message = `node ${own.node} speaks protocol ${range(own)}, and node ${peer.node} ${range(peer)}`;
    return ["wrong-version", message];
  }
  if (peer.system !== own.system) {
    return [
      "wrong-system",
      `node ${own.node} belongs to the system ${own.system}, and node ${peer.node} to ${peer.system}`,
    ];
  }
  if (peer.node === own.node) {
    const message = `two nodes have the id ${own.node} (incarnations ${own.incarnation} and ${peer.incarnation})`;
    return ["same-node", message];
  }
  const { expected } = config;
  if (expected !== undefined && (peer.node !== expected.node || peer.incarnation !== expected.incarnation)) {
    const wanted = `${expected.node} (incarnation ${expected.incarnation})`;
    return ["wrong-node", `${wanted} was dialled, and ${peer.node} (incarnation ${peer.incarnation}) answered`];
  }
  return undefined;
}

/** A certificate of the system makes nobody any other node of it than the one that it is for. */
function unprovenRefusal(provenNodes: readonly string[] | undefined, { node }: Hello): Refusal | undefined {
  if (provenNodes === undefined || provenNodes.includes(node)) return undefined;
  const names = provenNodes.length === 0 ? "no node" : provenNodes.join(" and ");
  return ["wrong-node", `${node} came with a certificate for ${names}`];
}

function range({ versionMin, versionMax }: Hello): string {
  return versionMin === versionMax ? `version ${versionMin}` : `versions ${versionMin} to ${versionMax}`;
}

function takeProof<T extends LinkTypes>(session: LinkSession<T>, peer: Hello, proof: Uint8Array, now: number): void {
  const { role, prover, limits } = session.config;
  const wanted = proofBy(session, role === "dialler" ? "acceptor" : "dialler", peer);
  if (!prover.same(proof, wanted)) {
    const message = `node ${peer.node} and node ${session.config.hello.node} hold different secrets`;
    close(session, "wrong-secret", message, now);
    return;
  }
  if (role === "dialler") {
    session.effects.push({ kind: "send", frame: { kind: "proof", proof: proofBy(session, "dialler", peer) } });
    session.callsMax = peer.callsMax;
    session.callBytesMax = peer.callBytesMax;
  }
  session.phase = "open";
  session.phaseDeadline = Number.POSITIVE_INFINITY;
  session.nextLookAt = now + limits.pingIntervalMs;
  session.effects.push({ kind: "opened", peer, version: session.version });
  sendQueued(session, now);
}

function proofBy<T extends LinkTypes>(
  session: LinkSession<T>,
  prover: "dialler" | "acceptor",
  peer: Hello,
): Uint8Array {
  const { config, version } = session;
  const [dialler, acceptor] = config.role === "dialler" ? [config.hello, peer] : [peer, config.hello];
  return config.prover.prove(prover, version, dialler, acceptor);
}
