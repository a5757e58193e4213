/** The loading of an entity: who waits for it, and what happened meanwhile that its reading may not have seen. */
export class Loading {
  readonly #over: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #released = new Set<string>();

  /** Resolves when the state is in memory, or never will be. */
  get promise(): Promise<void> {
    return this.#over.promise;
  }

  resolve(): void {
    this.#over.resolve();
  }

  /** A timer has durably become a message. */
  timerReleased(name: string): void {
    this.#released.add(name);
  }

  /** Of the names of timers that were read, those that there still are. */
  remaining(names: readonly string[]): readonly string[] {
    return this.#released.size === 0 ? names : names.filter((name) => !this.#released.has(name));
  }
}
