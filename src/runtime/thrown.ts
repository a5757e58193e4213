/**
 * What a handler threw, in the words of an operator: the error's name and message, and where it came from. Callers are
 * never told, because it may say things that are not for them; it stands in the log, and with what is parked.
 */

/** Characters of a message, and of the place, that are kept. */
const messageLengthMax = 500;
const placeLengthMax = 200;

/** `TypeError: x is not a function, at run (file:///app/saga.ts:12:7)`. */
export function thrownInWords(error: unknown): string {
  if (!(error instanceof Error)) return cut(`a thrown ${typeof error}: ${textOf(error)}`, messageLengthMax);
  const words = cut(`${textOf(error.name)}: ${textOf(error.message)}`, messageLengthMax);
  const place = /^ {4}at .*$/m.exec(textOf(error.stack))?.[0].trim();
  return place === undefined ? words : `${words}, ${cut(place, placeLengthMax)}`;
}

/** Whoever throws something that cannot be made text of has thrown it all the same. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "nothing that can be shown";
  }
}

function cut(text: string, lengthMax: number): string {
  return (text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`).toWellFormed();
}
