/**
 * Small histories as text, for tests and documentation. Events are separated by `|`; each names its process,
 * then what it does, then a value as JSON:
 *
 *     0 write 1 | 1 read | 0 ok | 1 ok 1
 *
 * The key is "k" unless `@` gives another (`0 read@b`). A declared error is `0 error NAME`.
 */
import { SynodError } from "../errors.ts";
import { decodeJson } from "../values/json.ts";
import type { EventType, HistoryEvent } from "./history.ts";

const eventForm = /^(?<process>\d+) (?<word>[\w-]+)(?:@(?<key>\S+))?(?: (?<rest>.+))?$/;

/** The events of a script; time is the index. */
export function scriptedHistory(script: string): HistoryEvent[] {
  const open = new Map<number, { readonly f: string; readonly key: string }>();
  return script.split("|").map((text, index) => {
    const { process: digits, word, key = "k", rest } = eventForm.exec(text.trim())?.groups ?? {};
    if (digits === undefined || word === undefined) throw notUnderstood(index, text);
    const process = Number(digits);
    const invocation = open.get(process);
    if (invocation === undefined) {
      open.set(process, { f: word, key });
      return { index, time: index, process, type: "invoke", f: word, key, value: decoded(rest) };
    }
    open.delete(process);
    const base = { index, time: index, process, ...invocation };
    if (!["ok", "fail", "info", "error"].includes(word)) throw notUnderstood(index, text);
    if (word === "error") return { ...base, type: "ok", error: rest };
    return { ...base, type: word as EventType, value: decoded(rest) };
  });
}

function notUnderstood(index: number, text: string): SynodError {
  return new SynodError("invalid_argument", `event ${index} of the script is not understood: ${text.trim()}`);
}

function decoded(text: string | undefined): unknown {
  return text === undefined ? undefined : decodeJson(text, "a value of the script");
}
