/** What every store can keep: the form of texts and numbers. */

/** Text that comes back as it went in: PostgreSQL knows no NUL, and UTF-8 no lone surrogate. */
export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

export function isTextOrNull(text: string | null): boolean {
  return text === null || isText(text);
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
