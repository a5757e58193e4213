/** The random port: what ids, secrets and jitter are made of. */
export interface Random {
  /** `length` bytes that nobody outside can predict. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  number(): number;
}
