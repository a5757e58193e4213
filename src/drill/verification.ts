/**
 * What is looked at when a drill is over: every page of the ledger is read back, and every command that a service of the
 * system's own acknowledged is asked for once more under its idempotency key. Its record was committed together with its
 * effect: who gets the first answer again has the effect, and who does not has lost it.
 */
import { timedKeyTime } from "../values/ids.ts";
import type { DrillCaller, Heard } from "./callers.ts";
import { ledgerService } from "./ledger.interface.ts";
import { type Counted, counted, type LedgerBook, type LedgerVerdict } from "./ledger.ts";
import type { Acknowledged } from "./load.ts";

export interface RepeatVerdict {
  /** Acknowledged commands that were asked for again. */
  readonly repeated: number;
  /** Of which the first answer came again. */
  readonly replayed: number;
  /** Those that were executed again, or answered otherwise, as `account.deposit of key-1`. */
  readonly lost: Counted;
  /** Those that could not be asked for again, with why: nothing is known of them. */
  readonly unanswered: Counted;
  /** Those that were refused because nodes have forgotten such old keys, as they may: nothing is known of these either. */
  readonly tooOld: number;
}

/** Callers that look at the same time. */
const widthMax = 16;
/** How long idempotency keys are remembered, ms (G4): the effect of an older command stands, but nobody can ask for it again. */
const rememberedMs = 60 * 60 * 1_000;
/** What says that a value is there no more, and will not be. */
const damage = "data_loss";

export async function readLedger(book: LedgerBook, callers: () => DrillCaller): Promise<LedgerVerdict> {
  const read = new Map<string, readonly number[]>();
  const damaged = new Set<string>();
  await each(book.pages, callers, async (page, caller) => {
    const heard = await caller.ask({ service: ledgerService, key: page, operation: "read" }, undefined, "read");
    if (heard.outcome === "ok") read.set(page, heard.value as readonly number[]);
    else if (heard.error === damage) damaged.add(page);
  });
  return book.compare(read, damaged);
}

/** Leaves nothing of the drill's own behind. */
export async function forgetLedger(book: LedgerBook, callers: () => DrillCaller): Promise<void> {
  await each(book.pages, callers, async (page, caller) => {
    await caller.ask({ service: ledgerService, key: page, operation: "forget" }, undefined, "forget");
  });
}

export async function repeatAll(all: readonly Acknowledged[], callers: () => DrillCaller): Promise<RepeatVerdict> {
  const [lost, unanswered]: [string[], string[]] = [[], []];
  let tooOld = 0;
  await each(all, callers, async ({ asked: { request }, id, heard }, caller) => {
    const name = `${request.service}.${request.operation}`;
    const again = await caller.ask(request, id, `${name} again`);
    const words = `${name} of ${request.key}`;
    if (again.error === damage) lost.push(`${words}: ${damage}`);
    else if (isForgotten(again, id)) tooOld += 1;
    else if (again.outcome !== "ok") unanswered.push(`${words}: ${again.error}`);
    else if (!again.replayed) lost.push(`${words}: executed again`);
    else if (again.error !== heard.error || JSON.stringify(again.value) !== JSON.stringify(heard.value)) {
      lost.push(`${words}: another answer than before`);
    }
  });
  return {
    repeated: all.length,
    replayed: all.length - lost.length - unanswered.length - tooOld,
    lost: counted(lost),
    unanswered: counted(unanswered),
    tooOld,
  };
}

function isForgotten({ outcome, error }: Heard, id: string): boolean {
  const ageMs = Date.now() - (timedKeyTime(id) ?? Date.now());
  return outcome !== "ok" && error === "failed_precondition" && ageMs >= rememberedMs;
}

async function each<T>(
  all: readonly T[],
  callers: () => DrillCaller,
  look: (one: T, caller: DrillCaller) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    const caller = callers();
    for (let at = next++; at < all.length; at = next++) await look(all[at]!, caller);
  };
  await Promise.all(Array.from({ length: Math.min(widthMax, all.length) }, worker));
}
