/** A command in the mailbox, with all who wait for it. */
import type { MailboxInput, Token } from "./messages.ts";

export type Arrival<Payload> = Extract<MailboxInput<Payload>, { kind: "arrive" }>;

export interface Ticket<Payload> {
  readonly payload: Payload;
  /** The first caller; names the ticket. */
  readonly token: Token;
  readonly id: string | null;
  readonly inputHash: string | null;
  /** Callers who wait for this command: the first one and copies that joined. Empty: all have gone. */
  waiters: Token[];
  /** Arrivals with the same id and another input: until the lookup ends, nobody knows which input is the first. */
  rivals: Arrival<Payload>[];
  /** Of those who wait, who waits for the acceptance only. */
  readonly impatient: Set<Token>;
  /** `paused` and `parked`: an accepted command that keeps the turn and does not run. */
  stage: "looking" | "waiting" | "running" | "executed" | "paused" | "parked";
  /** The position of its acceptance; 0 for one that was found in the inbox, null for one that was not accepted. */
  accepted: number | null;
  attempt: number;
  /** Run with nothing undurable around, so that a refused change has one author. */
  alone: boolean;
  changed: boolean;
  /** The last change that this command could have seen, its own included. */
  position: number;
  departures: number[];
}

export function callersOf<Payload>({ waiters, rivals }: Ticket<Payload>): Token[] {
  return [...waiters, ...rivals.map(({ token }) => token)];
}

export function newTicket<Payload>(
  named: Pick<Ticket<Payload>, "token" | "id" | "inputHash" | "payload">,
): Ticket<Payload> {
  return {
    ...named,
    waiters: [],
    rivals: [],
    impatient: new Set(),
    stage: "waiting",
    accepted: null,
    attempt: 0,
    alone: false,
    changed: false,
    position: 0,
    departures: [],
  };
}

/** Those that were accepted, and the others. */
export function byAcceptance<Payload>(
  tickets: readonly Ticket<Payload>[],
): [accepted: Ticket<Payload>[], others: Ticket<Payload>[]] {
  return [tickets.filter(({ accepted }) => accepted !== null), tickets.filter(({ accepted }) => accepted === null)];
}
