/**
 * Which of the connections that an acceptor holds are to be: a doorkeeper who lets in so many strangers at a
 * time, and of each node that has shown its papers only the newest one.
 *
 * A newer incarnation ends the links of an older one, and an older one is refused for good. Of one
 * incarnation the newer dial counts: the older connection is one that its dialler gave up already.
 */
import type { LinkCause } from "./messages.ts";

/** A connection's number, given by the acceptor. */
export type ConnectionId = number;

interface Admitted {
  readonly connection: ConnectionId;
  readonly incarnation: number;
  readonly dial: number;
}

export interface Admission {
  readonly halfOpen: Set<ConnectionId>;
  readonly admitted: Map<string, Admitted>;
  /** The newest incarnation that was ever admitted, by node. */
  readonly newest: Map<string, number>;
}

export type Verdict =
  | { readonly admitted: true; readonly replaces: ConnectionId | undefined }
  | { readonly admitted: false; readonly cause: LinkCause; readonly message: string };

export function createAdmission(): Admission {
  return { halfOpen: new Set(), admitted: new Map(), newest: new Map() };
}

/** A stranger is at the door. False: there are too many already. */
export function arrive(admission: Admission, connection: ConnectionId, halfOpenMax: number): boolean {
  if (admission.halfOpen.size >= halfOpenMax) return false;
  admission.halfOpen.add(connection);
  return true;
}

/** A connection has proved who is at its other end. */
export function admit(
  admission: Admission,
  connection: ConnectionId,
  peer: { readonly node: string; readonly incarnation: number; readonly dial: number },
): Verdict {
  admission.halfOpen.delete(connection);
  const newest = admission.newest.get(peer.node) ?? 0;
  if (peer.incarnation < newest) {
    const message = `node ${peer.node} is at incarnation ${newest}, and incarnation ${peer.incarnation} dialled`;
    return { admitted: false, cause: "stale", message };
  }
  const current = admission.admitted.get(peer.node);
  if (current !== undefined && current.incarnation === peer.incarnation && current.dial >= peer.dial) {
    const message = `dial ${current.dial} of node ${peer.node} came before dial ${peer.dial}`;
    return { admitted: false, cause: "stale", message };
  }
  admission.newest.set(peer.node, peer.incarnation);
  admission.admitted.set(peer.node, { connection, incarnation: peer.incarnation, dial: peer.dial });
  return { admitted: true, replaces: current?.connection };
}

/** A connection is no more. */
export function leave(admission: Admission, connection: ConnectionId, node: string | undefined): void {
  admission.halfOpen.delete(connection);
  if (node !== undefined && admission.admitted.get(node)?.connection === connection) admission.admitted.delete(node);
}
