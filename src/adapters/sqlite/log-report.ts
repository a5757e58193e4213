/** What becomes of the write-ahead log, for operators: its length, and a warning when it cannot be shortened. */
import type { Log } from "../../ports/log.ts";
import { walBytesMax } from "./checkpoints.ts";
import type { LogMessage } from "./messages.ts";

/** From this share of its bound the log is worth a warning: nothing but a reader that never ends makes it so long. */
const warnFromShare = 1 / 4;

export interface LogReport {
  /** Bytes of the log in use, as of the last write. */
  readonly bytes: number;
  readonly report: (message: LogMessage) => void;
}

/** Warns once for each reason, and again when the trouble had gone meanwhile. */
export function logReportOf(log: Log | undefined, path: string): LogReport {
  let bytes = 0;
  let reported: string | undefined;
  return {
    get bytes() {
      return bytes;
    },
    report: ({ walBytes, trouble }) => {
      bytes = walBytes ?? bytes;
      const isLong = bytes >= walBytesMax * warnFromShare;
      const reason = trouble ?? (isLong ? "another program has been reading it for long" : undefined);
      if (reason !== undefined && reason !== reported) {
        log?.warn(`the write-ahead log of ${path} cannot be shortened: ${reason}`, { walBytes: bytes });
      }
      reported = reason;
    },
  };
}
