/**
 * The network port: byte streams between addresses, and nothing else. Framing, the handshake and calls
 * stand above it, so that the simulator can put its own network below them and cut streams where it likes.
 *
 * Addresses are `HOST:PORT` as in `Member.address`; port 0 asks for a free one. Whether a stream is
 * encrypted is the adapter's business, and so is the rule that nothing leaves loopback unless it is (G9).
 *
 * No callback is made from inside a method of the port: whoever calls one is never surprised half-way.
 */

/** Why a connection is no more. */
export interface CloseReason {
  /**
   * `ended`: both sides ended their half, and everything sent has arrived.
   * `lost`: the network or the other side cut it; what was under way may or may not have arrived.
   * `destroyed`: this side called `destroy`.
   */
  readonly kind: "ended" | "lost" | "destroyed";
  /** In words; for `destroyed` what the caller said. */
  readonly message: string;
}

/** What the holder of a connection does when something happens to it. */
export interface ConnectionEvents {
  /** Bytes arrived; in order, cut anywhere, never empty. They are the holder's from now on. */
  onData(bytes: Uint8Array): void;
  /** After a `send` that returned false: the buffer is empty, go on. */
  onDrain(): void;
  /** The other side ended its half: no more data. Comes after all data, at most once. */
  onEnd(): void;
  /** The connection is no more. Comes exactly once and last. */
  onClose(reason: CloseReason): void;
}

/** One byte stream each way. */
export interface Connection {
  /** The other side's address, for messages. */
  readonly remote: string;
  /**
   * The ids of the nodes for which the other side has shown a certificate. Left out by a network that proves nothing of
   * the kind: there the handshake above it is all there is.
   */
  readonly provenNodes?: readonly string[] | undefined;
  /** Bytes that were sent and that the network has not taken over yet. */
  readonly bufferedBytes: number;
  /**
   * Says who listens; called once, in the turn in which the connection was handed over. Until then, and
   * while paused, nothing is delivered, and at most a fixed amount (tens of KiB) is read ahead.
   */
  start(events: ConnectionEvents): void;
  /**
   * Queues bytes, which the caller must not change afterwards. False: more is buffered than the network
   * takes at once; the caller should stop until `onDrain`. Nothing is refused, so the bound is the caller's.
   * Does nothing after `end` or once the connection is closed.
   */
  send(bytes: Uint8Array): boolean;
  /** Stops the delivery of data, so that the other side's `send` returns false sooner or later. */
  pause(): void;
  resume(): void;
  /** Ends this half after everything sent. The other half goes on until the other side ends it. */
  end(): void;
  /**
   * Cuts both halves now; what is buffered is lost. `onClose` follows unless it came already. The other side's close is
   * `lost`, but over TLS the cut may look like an end to it: who has to know says goodbye before ending.
   */
  destroy(message: string): void;
}

/** An address on which connections are taken. */
export interface Listener {
  /** The address, with the port that was chosen if it was 0. */
  readonly address: string;
  /** Takes no new connections; those that exist live on. Resolves when the address is free again. */
  close(): Promise<void>;
}

export interface Network {
  /** Rejects with a `SynodError`: `already_exists` for an address in use, `failed_precondition` for a forbidden one. */
  listen(address: string, onConnection: (connection: Connection) => void): Promise<Listener>;
  /** Rejects with a `SynodError`, `unavailable` when nobody answers within `timeoutMs`. */
  connect(address: string, timeoutMs: number): Promise<Connection>;
}
