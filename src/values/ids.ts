/**
 * Names and ids.
 *
 * Idempotency keys come in two kinds. A timed key is one that Synod's client library made: a UUIDv7 (RFC 9562)
 * behind a prefix, so that its age can be read from it and a forgotten one be refused for ever. Everything
 * else is opaque, and is known only for as long as its record is kept.
 *
 * Runs in browsers too: no `node:` imports.
 */

const timedKeyPrefix = "synod-";
const timedKeyForm = /^synod-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timedKeyRandomBytes = 10;
/** A UUIDv7 has 48 bits for its instant: until the year 10889. */
const instantMax = 2 ** 48 - 1;
/** Base 36 digits that hold every safe integer. */
const sessionNumberDigits = 11;

/** When a timed key was made, in ms since 1970; null when the key is opaque. */
export function timedKeyTime(key: string): number | null {
  const match = timedKeyForm.exec(key);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : null;
}

/** A timed key made at `now` (ms since 1970) from 10 random bytes. */
export function makeTimedKey(now: number, randomBytes: Uint8Array): string {
  if (randomBytes.length < timedKeyRandomBytes) {
    throw new RangeError(`a timed key needs ${timedKeyRandomBytes} random bytes, not ${randomBytes.length}`);
  }
  const instant = Math.floor(now);
  if (!(instant >= 0 && instant <= instantMax)) throw new RangeError(`a timed key cannot be made at ${now}`);
  const time = hex(instant, 12);
  const random = Array.from(randomBytes.subarray(0, timedKeyRandomBytes), (byte) => hex(byte, 2)).join("");
  const variant = hex(0x8 | (Number.parseInt(random.charAt(3), 16) & 0x3), 1);
  const groups = [time.slice(0, 8), time.slice(8), `7${random.slice(0, 3)}`, `${variant}${random.slice(4, 7)}`];
  return `${timedKeyPrefix}${groups.join("-")}-${random.slice(7, 19)}`;
}

/**
 * The id of the record of a session's call. Ids of one session sort by their numbers, so that a floor removes
 * a range of them.
 */
export function sessionRecordId(session: string, number: number): string {
  return `${session}#${number.toString(36).padStart(sessionNumberDigits, "0")}`;
}

/** Whether a record's id in the range of that session is a call's own, and not one derived from it. */
export function isSessionRecordId(id: string, session: string): boolean {
  return id.length === session.length + 1 + sessionNumberDigits;
}

/**
 * The id of the record of a call that a durable command makes: `hash` tells it from the other calls of that command,
 * whose number in its shard's session they share. It stands in the number's range.
 */
export function derivedRecordId(session: string, number: number, hash: string): string {
  return `${sessionRecordId(session, number)}/${hash}`;
}

/** The call whose record has that id, of a session or derived; undefined for any other id. */
export function sessionCallOf(id: string): { readonly session: string; readonly number: number } | undefined {
  const match = /^([^#]+)#([0-9a-z]{11})(?:\/|$)/.exec(id);
  return match === null ? undefined : { session: match[1]!, number: Number.parseInt(match[2]!, 36) };
}

/**
 * Where the records of a session's calls stand, in the order of characters: `from` and what follows, up to
 * before `to`. With a number only the calls below it.
 */
export function sessionRecordRange(session: string, below?: number): { readonly from: string; readonly to: string } {
  // "$" is the character after "#".
  return { from: `${session}#`, to: below === undefined ? `${session}$` : sessionRecordId(session, below) };
}

/** Whether a text can name a session. Without "#", so that no session's records stand among those of another. */
export function isSessionName(text: string): boolean {
  return text.length > 0 && text.isWellFormed() && !/[#\0]/.test(text);
}

/** Whether a text can name a system, a service, an operation, a declared error or a node. */
export function isName(text: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/.test(text);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
