/**
 * Drives the mailbox core of one entity: one input after the other, each with all of its effects. What comes while effects
 * are performed, most of it from them, waits until they are done.
 */
import { Mailbox } from "../core/mailbox/mailbox.ts";
import type { MailboxEffect, MailboxInput } from "../core/mailbox/messages.ts";
import { added } from "../values/added.ts";
import type { Pending } from "./entity-inbox.ts";
import type { NodeLimits } from "./limits.ts";

/** Who performs what a mailbox decides. */
export interface Performer {
  perform(effect: MailboxEffect<Pending>): void;
}

export class MailboxDriver {
  readonly #performer: Performer;
  readonly #mailbox: Mailbox<Pending>;
  #inputs: MailboxInput<Pending>[] = [];
  #driving = false;
  #ended = false;
  #lastToken = 0;

  constructor(performer: Performer, limits: NodeLimits) {
    this.#performer = performer;
    this.#mailbox = new Mailbox(limits);
  }

  /** Nothing runs, waits or is undurable. */
  get idle(): boolean {
    return this.#mailbox.idle;
  }

  /** Commands that wait for the turn. */
  get queued(): number {
    return this.#mailbox.queued;
  }

  /** Whether a command of this id is in the mailbox. */
  knows(id: string): boolean {
    return this.#mailbox.knows(id);
  }

  /** A new name for a command, or for one who waits for it. */
  token(): number {
    this.#lastToken += 1;
    return this.#lastToken;
  }

  drive(input: MailboxInput<Pending>): void {
    if (this.#driving) {
      this.#inputs = added(this.#inputs, input);
      return;
    }
    this.#driving = true;
    try {
      for (let next: MailboxInput<Pending> | undefined = input; next !== undefined; next = this.#inputs.shift()) {
        if (this.#ended) return;
        this.#step(next);
      }
    } finally {
      this.#driving = false;
    }
  }

  /** Nothing is driven any more. */
  end(): void {
    this.#ended = true;
  }

  /** Ends it at once, whatever is being driven: everybody who waits is told. */
  drop(unknownThrough: number): void {
    this.end();
    this.#step({ kind: "drop", unknownThrough });
  }

  #step(input: MailboxInput<Pending>): void {
    for (const effect of this.#mailbox.step(input)) this.#performer.perform(effect);
  }
}
