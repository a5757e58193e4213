/** What the soak tells the processes that load `instrument.ts`, and where packets of whose links come from. */
import { fileURLToPath } from "node:url";

export interface Instrumentation {
  /** Where the fault proxy between nodes listens. */
  readonly proxyPort: number;
  /** Whether each node dials from a loopback address of its own, by which packets can be told apart. */
  readonly ownAddresses: boolean;
  /** A folder with a file for each process, by which libfaketime sets its wall clock. */
  readonly clocks?: string | undefined;
  /** A defect of `breaks.ts`. */
  readonly defect?: string | undefined;
}

export const instrumentationVariable = "SYNOD_TEST_INSTRUMENTATION";

/** The environment in which a cluster is started to be tampered with. */
export function instrumented(settings: Instrumentation): Record<string, string> {
  const program = fileURLToPath(new URL("./instrument.ts", import.meta.url));
  return {
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${program}`.trim(),
    [instrumentationVariable]: JSON.stringify(settings),
  };
}

/** The address from which `node-2` dials. */
export function linkAddressOf(node: string): string {
  return `127.0.1.${Number(/\d+$/.exec(node)?.[0] ?? 0)}`;
}
