/**
 * Checks that all definitions share. A definition is refused where it is made, in a sentence that says what
 * to change: types are stripped before Node runs a file, so the compiler's word alone is not enough.
 */
import { SynodError } from "../errors.ts";
import { isName } from "../values/ids.ts";

export function definitionError(sentence: string, cause?: unknown): SynodError {
  return new SynodError("invalid_argument", sentence, { cause });
}

/** A name that fits into a URL and cannot be taken for a part of an object. */
export function checkOwnName(name: string, subject: string): void {
  if (name in Object.prototype) {
    throw definitionError(`${quoted(name)} cannot name ${subject}, because every object has a member of that name`);
  }
  if (typeof name !== "string" || !isName(name)) {
    throw definitionError(
      `${quoted(name)} cannot name ${subject}; a name is a letter and up to 62 letters, digits, "-" or "_"`,
    );
  }
}

/** Only known members, so that a slip of the pen is not left out in silence. */
export function checkMembers(definition: object, known: readonly string[], subject: string): void {
  if (typeof definition !== "object" || definition === null) {
    throw definitionError(`${subject} must be defined by an object with ${known.join(", ")}`);
  }
  for (const name of Object.keys(definition)) {
    if (known.includes(name)) continue;
    throw definitionError(`${subject} has a member ${quoted(name)}; it may have ${known.join(", ")}`);
  }
}

export function quoted(name: unknown): string {
  return typeof name === "string" ? JSON.stringify(name) : String(name);
}
