/** Every bound of a link, with its unit last (guarantee G6). */

export interface LinkLimits {
  /** From the connection to the end of the handshake, in all. */
  readonly helloMs: number;
  /** Connections that an acceptor holds before they have proved who they are. */
  readonly halfOpenMax: number;
  /** The longest frame that this side takes after the handshake. */
  readonly frameBytesMax: number;
  /** Calls that this side takes without having answered them. */
  readonly callsMax: number;
  /** Bytes of their inputs. A single call may exceed it when nothing else is in flight. */
  readonly callBytesMax: number;
  /** Calls that wait at this side because the peer takes no more now. */
  readonly queueLengthMax: number;
  /** Bytes of their inputs. */
  readonly queueBytesMax: number;
  /** How often each side looks whether the other is still there, and the dialler asks: the same on both sides. */
  readonly pingIntervalMs: number;
  /** Ping intervals without a sign of life after which the peer is taken for dead. */
  readonly silentIntervalsMax: number;
  /** Ping intervals in which the peer takes none of the bytes that wait, after which it is given up. */
  readonly blockedIntervalsMax: number;
  /** Bytes that wait because the peer reads more slowly than it asks, at the most: memory, however well it reads. */
  readonly bufferedBytesMax: number;
  /** How long a goodbye may take to get through before the connection is cut. */
  readonly lingerMs: number;
  /** The first wait before dialling again is below this; it doubles with every failure in a row. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
}

export const defaultLinkLimits: LinkLimits = {
  helloMs: 2_000,
  halfOpenMax: 64,
  frameBytesMax: 4 * 1024 * 1024,
  callsMax: 1_000,
  callBytesMax: 16 * 1024 * 1024,
  queueLengthMax: 10_000,
  queueBytesMax: 16 * 1024 * 1024,
  pingIntervalMs: 500,
  silentIntervalsMax: 4,
  blockedIntervalsMax: 8,
  bufferedBytesMax: 128 * 1024 * 1024,
  lingerMs: 500,
  backoffFirstMs: 20,
  backoffMaxMs: 1_000,
};
