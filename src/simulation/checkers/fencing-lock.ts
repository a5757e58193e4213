/**
 * The lock with fencing tokens: `acquire HOLDER` answers a token, and `use {holder, token}` asks the guarded
 * resource, which accepts (`ok`) or refuses (`fail`, or a declared error) it. A lock alone cannot keep a
 * paused holder out; the tokens must.
 *
 * Tokens grow; an accepted use has a token that its holder was given, and none is accepted after a newer one.
 */
import { SynodError } from "../../errors.ts";
import type { Operation } from "../operations.ts";
import { withHighestBefore } from "./real-time.ts";
import { Findings, locate, short, type Verdict } from "./verdict.ts";

export function checkFencingLock(operations: readonly Operation[]): Verdict {
  const findings = new Findings();
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) {
    const accepted = ofKey.filter((operation) => operation.reply !== undefined && operation.reply.error === undefined);
    const grants = accepted.filter((operation) => operation.f === "acquire");
    const uses = accepted.filter((operation) => operation.f === "use");
    const report = (text: string) => findings.add(key, `lock ${key}: ${text}`);
    const unheard = ofKey.filter((operation) => operation.f === "acquire" && operation.outcome === "info");
    checkHolders(grants, uses, new Set(unheard.map(holderOf)), report);
    for (const [grant, before] of withHighestBefore(grants, grants, tokenOf)) {
      if (tokenOf(grant) <= tokenOf(before)) report(`${locate(grant)} is not above the earlier ${locate(before)}`);
    }
    for (const [use, before] of withHighestBefore(uses, uses, tokenOf)) {
      if (tokenOf(use) < tokenOf(before)) report(`${locate(use)} was accepted after the newer ${locate(before)}`);
    }
  }
  return findings.verdict("lock with fencing tokens", operations.length);
}

function holderOf({ f, value, invokedAt }: Operation): string {
  const holder = f === "use" ? (value as { readonly holder?: unknown } | null)?.holder : value;
  if (typeof holder === "string") return holder;
  throw new SynodError("invalid_argument", `event ${invokedAt} of the history names no holder: ${short(value)}`);
}

function tokenOf(operation: Operation): number {
  const source =
    operation.f === "use" ? (operation.value as { readonly token?: unknown }).token : operation.reply?.value;
  if (Number.isSafeInteger(source)) return source as number;
  throw new SynodError(
    "invalid_argument",
    `event ${operation.invokedAt} of the history has no token: ${short(source)}`,
  );
}

/** One token, one holder: by the grants, and for tokens that nobody heard of by their first use. */
function checkHolders(
  grants: readonly Operation[],
  uses: readonly Operation[],
  unheard: ReadonlySet<string>,
  report: (text: string) => void,
): void {
  const holders = new Map<number, Operation>();
  for (const grant of grants) {
    const other = holders.get(tokenOf(grant));
    if (other !== undefined) report(`one token was given twice: ${locate(other)}, ${locate(grant)}`);
    else holders.set(tokenOf(grant), grant);
  }
  for (const use of uses) {
    const known = holders.get(tokenOf(use));
    if (known === undefined && !unheard.has(holderOf(use)))
      report(`${locate(use)} was accepted; nobody was given that token`);
    else if (known === undefined) holders.set(tokenOf(use), use);
    else if (holderOf(known) !== holderOf(use)) report(`${locate(use)} was accepted; the token is of ${locate(known)}`);
  }
}
