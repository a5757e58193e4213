/** Mutations: defects that are put in on purpose, to show that the checks find them. Only simulation reaches these. */
import type { Answers } from "./world/store.ts";

export interface Mutation {
  readonly name: string;
  /** Answers of the store that are not honest. */
  readonly answers?: Partial<Answers>;
  /** Changes the runtime for the time of a run; returns the way back. */
  readonly install?: () => () => void;
}
