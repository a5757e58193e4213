/** A question for pending work, read from the parameters of a request. */
import { SynodError } from "../errors.ts";
import type { WorkBox, WorkQuery } from "./target.ts";

/** Of one page. */
const limitMax = 1_000;
const boxes: readonly WorkBox[] = ["inbox", "outbox"];

export function workQueryOf(parameters: URLSearchParams): WorkQuery {
  const text = (name: string): string | undefined => parameters.get(name) ?? undefined;
  const limit = numberOf(parameters, "limit");
  if (limit !== undefined && (limit < 1 || limit > limitMax)) throw refusal("limit", `from 1 to ${limitMax}`);
  return {
    boxes: boxesOf(text("boxes")),
    service: text("service"),
    key: text("key"),
    parked: parkedOf(text("parked")),
    before: numberOf(parameters, "before"),
    after: text("after"),
    limit,
  };
}

function boxesOf(given: string | undefined): readonly WorkBox[] {
  const wanted = given?.split(",") ?? boxes;
  const known = boxes.filter((box) => wanted.includes(box));
  if (known.length === wanted.length) return known;
  throw refusal("boxes", "inbox, outbox, or both with a comma between");
}

function parkedOf(given: string | undefined): boolean | undefined {
  if (given === undefined) return undefined;
  if (given === "true" || given === "false") return given === "true";
  throw refusal("parked", "true or false");
}

function numberOf(parameters: URLSearchParams, name: string): number | undefined {
  const given = parameters.get(name);
  if (given === null) return undefined;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw refusal(name, "a whole number");
}

function refusal(name: string, form: string): SynodError {
  return new SynodError("invalid_argument", `the parameter ${name} has to be ${form}`);
}
