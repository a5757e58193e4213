/** Ctrl-C and its relatives: the first one asks for an orderly end, the second one for the end at once. */

/** npm passes a Ctrl-C on that the terminal has sent to the whole group: that is still the first one. */
const samePressMs = 500;

export interface Interrupt {
  /** Called once, at the first interrupt. */
  readonly first: () => void;
  /** Called at each later one. */
  readonly again: () => void;
}

/** Tells whether there has been an interrupt. */
export function onInterrupt({ first, again }: Interrupt): () => boolean {
  let firstAt: number | undefined;
  const interrupt = (): void => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      first();
    } else if (performance.now() - firstAt > samePressMs) again();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  return () => firstAt !== undefined;
}
