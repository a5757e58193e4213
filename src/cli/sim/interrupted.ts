/** Ctrl-C in a campaign ends it as it ends any process, but not before what is known has been said. */
export function beforeInterrupt(say: () => void): Disposable {
  const interrupted = (): void => {
    say();
    // The listener is gone by now, so that this ends the process, and whoever started it knows why.
    process.kill(process.pid, "SIGINT");
  };
  process.once("SIGINT", interrupted);
  return { [Symbol.dispose]: () => void process.off("SIGINT", interrupted) };
}
