/** What this process consumes: processor, event loop and memory, by Node's own figures. */
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { ProcessFigures } from "../../ports/meters.ts";

/** Figures of the event loop are those of the last full window of this length. */
const windowMs = 2_000;
/** How often the event loop's delay is looked at. */
const resolutionMs = 10;
const nanosecondsPerMs = 1e6;

export interface ProcessMeter {
  read(): ProcessFigures;
  close(): void;
}

/** Starts to watch; keeps no process alive. */
export function watchProcess(): ProcessMeter {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  let mark = performance.eventLoopUtilization();
  let eventLoopUtilization = 0;
  let eventLoopDelay = { meanMs: 0, p99Ms: 0, maxMs: 0 };
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    eventLoopUtilization = performance.eventLoopUtilization(now, mark).utilization;
    mark = now;
    eventLoopDelay = {
      meanMs: lateMs(delay.mean),
      p99Ms: lateMs(delay.percentile(99)),
      maxMs: lateMs(delay.max),
    };
    delay.reset();
  }, windowMs);
  timer.unref();
  return {
    read: () => {
      const { user, system } = process.cpuUsage();
      const { heapUsed, heapTotal, rss } = process.memoryUsage();
      return {
        cpuSeconds: (user + system) / 1e6,
        eventLoopUtilization,
        eventLoopDelay,
        heapUsedBytes: heapUsed,
        heapTotalBytes: heapTotal,
        rssBytes: rss,
      };
    },
    close: () => {
      clearInterval(timer);
      delay.disable();
    },
  };
}

/** Node gives the whole time between two looks, of which the interval itself is no delay; nothing recorded is NaN. */
function lateMs(nanoseconds: number): number {
  return Math.max(0, nanoseconds / nanosecondsPerMs - resolutionMs) || 0;
}
