/**
 * Who caused a run of a handler, as the id says that the runtime gave it: a message, a timer or a durable command of
 * some shard, or a service without keys that a message makes work. Everything else comes from outside, or from a handler that nobody repeats.
 */
export interface Origin {
  readonly kind: "message" | "timer" | "call";
  /** Of a shard, such as `account/3`. */
  readonly session: string;
  /** The message's number, the timer's generation, or the number of the durable command, or of the message, that calls. */
  readonly number: number;
  /** Tells the calls of one number apart; empty for the others. */
  readonly call: string;
}

/** A shard's session has a slash in its name, and a node's has none. */
const numberForm = /^([^#~]+\/\d+)#([0-9a-z]+)(?:\/(.+))?$/;
const generationForm = /^([^#~]+\/\d+)~(\d+)$/;

/** Null for ids that come from elsewhere. */
export function originOf(id: string): Origin | null {
  const timer = generationForm.exec(id);
  if (timer !== null) return { kind: "timer", session: timer[1]!, number: Number(timer[2]), call: "" };
  const match = numberForm.exec(id);
  if (match === null) return null;
  const [, session, number, call] = match;
  const kind = call === undefined ? "message" : "call";
  return { kind, session: session!, number: Number.parseInt(number!, 36), call: call ?? "" };
}
