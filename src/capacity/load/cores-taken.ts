/** What a process of the load takes of the processors. */

/** Of this process since it began. */
type Usage = () => NodeJS.CpuUsage;

/**
 * Processors that this process takes while calls count. Before and after it takes fewer, and what nodes and machine take is read
 * while calls count: the difference would look like other programs.
 */
export class CoresTaken {
  readonly #from: number;
  readonly #until: number;
  readonly #usage: Usage;
  #began: { readonly at: number; readonly usage: NodeJS.CpuUsage } | undefined;
  #cores: number | undefined;

  /** Instants of `performance.now()`, ms. */
  constructor(from: number, until: number, usage: Usage = () => process.cpuUsage()) {
    this.#from = from;
    this.#until = until;
    this.#usage = usage;
  }

  get cores(): number {
    return this.#cores ?? 0;
  }

  look(now: number): void {
    if (now < this.#from || this.#cores !== undefined) return;
    this.#began ??= { at: now, usage: this.#usage() };
    if (now < this.#until || now === this.#began.at) return;
    const { user, system } = this.#usage();
    const before = this.#began.usage;
    this.#cores = (user - before.user + system - before.system) / 1_000 / (now - this.#began.at);
  }
}
