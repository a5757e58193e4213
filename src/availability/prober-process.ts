/** The program of the second prober: a process of its own, so that what befalls the supervisor does not blind both. */
import { ProbeConnection } from "./probe-connection.ts";
import { Prober } from "./prober.ts";

export interface ProberSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly number: number;
}

const { url, headers, number } = JSON.parse(process.argv[2] ?? "null") as ProberSettings;
process.on("disconnect", () => process.exit());
// Ctrl-C reaches the whole group: the supervisor decides what follows from it.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
new Prober({
  connection: new ProbeConnection(new URL(url), headers),
  number,
  tell: (seen) => {
    // Without the callback a message to a supervisor that has just died would end this process with an error.
    if (process.connected) process.send!(seen, () => {});
  },
});
