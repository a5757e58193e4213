/**
 * Which of the connections that an acceptor holds are to be: a doorkeeper who lets in so many strangers at a
 * time, and of each that has shown its papers only the newest connection.
 *
 * Of one incarnation the newer dial counts: the older connection is one that its dialler gave up already. Which
 * incarnations may call at all is not the doorkeeper's to say: the view knows. A second process under the name of
 * a node that lives has a newer incarnation, and must not put that node out before it is refused itself.
 */
import type { LinkCause } from "./messages.ts";

/** A connection's number, given by the acceptor. */
export type ConnectionId = number;

interface Admitted {
  readonly connection: ConnectionId;
  readonly dial: number;
}

export interface Admission {
  readonly halfOpen: Set<ConnectionId>;
  /** By incarnation. */
  readonly admitted: Map<number, Admitted>;
}

export type Verdict =
  | { readonly admitted: true; readonly replaces: ConnectionId | undefined }
  | { readonly admitted: false; readonly cause: LinkCause; readonly message: string };

export function createAdmission(): Admission {
  return { halfOpen: new Set(), admitted: new Map() };
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
  const current = admission.admitted.get(peer.incarnation);
  if (current !== undefined && current.dial >= peer.dial) {
    const message = `dial ${current.dial} of node ${peer.node} came before dial ${peer.dial}`;
    return { admitted: false, cause: "stale", message };
  }
  admission.admitted.set(peer.incarnation, { connection, dial: peer.dial });
  return { admitted: true, replaces: current?.connection };
}

/** A connection is no more; `incarnation` is that of its peer, if it proved one. */
export function leave(admission: Admission, connection: ConnectionId, incarnation: number | undefined): void {
  admission.halfOpen.delete(connection);
  if (incarnation === undefined || admission.admitted.get(incarnation)?.connection !== connection) return;
  admission.admitted.delete(incarnation);
}
