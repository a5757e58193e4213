/**
 * Where errors were made. An error's stack names files of the machine, and is there only in a run that somebody looks
 * at: what a handler threw goes over links and into the store in words, so that a run would differ by it. In a run the
 * stack of an error says what its first line says, whoever asks; the frames are kept for the simulator's own reports.
 */
import { withoutInstances } from "./instances.ts";

const framesOf = new WeakMap<object, string>();

/** Until the returned function is called. */
export function hideStacks(): () => void {
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (error, frames) => {
    if (frames.length > 0) framesOf.set(error, frames.map((frame) => `    at ${frame}`).join("\n"));
    return firstLine(error);
  };
  return () => {
    Error.prepareStackTrace = prepareStackTrace;
  };
}

/** What was thrown, and where it was made as far as that is known. */
export function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  // Whoever asks first makes the frames known.
  const stack = thrown.stack ?? thrown.message;
  const frames = framesOf.get(thrown);
  return frames === undefined ? stack : `${stack}\n${withoutInstances(frames)}`;
}

function firstLine(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "an error that cannot be shown";
  }
}
