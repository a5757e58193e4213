/**
 * Marks: rare branches that have a name. A test says which one it means to reach, and a simulation reports those that
 * none of its runs came to, because what never ran was not tested (after TigerBeetle's `marks.zig`).
 *
 * In production nobody listens, and a mark is one comparison. Listening is for one run of a simulation, or one test, at
 * a time in its thread.
 */

/** Every mark, with what it means that it was reached. */
export const marks = {
  "another path": "an attempt of a durable command did something else than one before",
  "batch full": "a change departs with the next batch, because the one that boards is full",
  "commit conflict": "the store has another version of an entity than its owner believed",
  "commit failed": "the store could not write",
  "commit fenced": "the store refused a commit of a former owner",
  "commit of an ended lease": "the store refused a commit because the node's lease was ended",
  "commit unknown": "nobody said whether a commit took effect",
  "copy joins": "a copy of a call waits for the answer to the call that is still open",
  "id with another input": "an id came back with another input",
  "mailbox full": "an entity has as many commands waiting as it may",
  "exit gate waits": "a call of a handler waits until what the handler saw is durable",
  "handler abandoned": "nobody waits any more for what a handler is doing",
  "prerequisite lost": "a change does not take place, because what it was to follow does not",
  "recorded reply": "a repeat is answered from the record of the first time",
  "runs again": "a command runs again, because the state that it ran on was never committed",
  "undurable dropped": "an entity is dropped while nobody knows whether a change of it is durable",
  "called below its floor": "a call comes that its caller had promised not to repeat",
  "session ended": "a call comes whose caller is gone for good",
  "cut too often": "a call was cut by so many nodes that it is not tried again",
  "id of an ended session": "a node joined again while a call of its former session waited",
  "sent on to the next owner": "a call meets a shard that is being handed over",
  "memory full": "there is no room in memory for another entity",
  "lease ran out": "a node wants to act and has no valid lease",
  "lease ended by this node": "a lease stood still for long enough, and the store accepted its end",
  "lease renewed at the last moment": "a lease was to be ended, and its holder was faster",
  "joined again": "a node's lease was ended by another, and the node joins anew",
  "lost shard claimed again": "a node claims a shard that is its own and that it had dropped",
  "waits for a trim": "whether an id is forgotten is known only when a trim is done",
} as const;

export type Mark = keyof typeof marks;

let listener: ((mark: Mark) => void) | null = null;

/** This branch was reached. */
export function mark(name: Mark): void {
  if (listener !== null) listener(name);
}

/** Hears of every mark in this thread, until the returned function is called; whoever listened before hears nothing meanwhile. */
export function listenToMarks(hear: (mark: Mark) => void): () => void {
  const before = listener;
  listener = hear;
  return () => {
    listener = before;
  };
}
