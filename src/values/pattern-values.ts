/**
 * Texts that match a regular expression, for inputs whose schema has a pattern. Enough of the syntax of JavaScript for
 * what people write in schemas: groups, alternatives, classes, repetition. Assertions are passed over, and whatever is not
 * known here gives no text: whoever validates the value decides in any case.
 */
import { type Prng, pick } from "./prng.ts";

/** Repetitions beyond the least that are drawn. */
const repetitionsMax = 3;
const depthMax = 12;

type Part = (prng: Prng) => string;

/** Undefined when there is something in it that is not known here. */
export function textsMatching(pattern: string): Part | undefined {
  const reader = new PatternReader(pattern);
  const part = reader.alternatives(0);
  return part !== undefined && reader.ended ? part : undefined;
}

const digits = characters("09");
const letters = characters("az");
const wordCharacters = [...letters, ...digits, "_"];
/** What stands for "any character". */
const anyCharacters = [...letters, ...digits];
const printable = characters(" ~");
const escapes: Readonly<Record<string, readonly string[]>> = {
  d: digits,
  w: wordCharacters,
  s: [" "],
  D: letters,
  W: ["-"],
  S: anyCharacters,
  n: ["\n"],
  t: ["\t"],
};

/** `az` is all from a to z. */
function characters([first, last]: string | readonly string[]): string[] {
  const [from, to] = [first!.codePointAt(0)!, last!.codePointAt(0)!];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => String.fromCodePoint(from + index));
}

class PatternReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at === this.#text.length;
  }

  /** `a|b` */
  alternatives(depth: number): Part | undefined {
    const all: Part[] = [];
    do {
      const one = depth > depthMax ? undefined : this.#sequence(depth);
      if (one === undefined) return undefined;
      all.push(one);
    } while (this.#took("|"));
    return (prng) => pick(prng, all)(prng);
  }

  #sequence(depth: number): Part | undefined {
    const parts: Part[] = [];
    while (!this.ended && !/[|)]/.test(this.#text[this.#at]!)) {
      const atom = this.#atom(depth);
      if (atom === undefined) return undefined;
      parts.push(this.#repeated(atom));
    }
    return (prng) => parts.map((part) => part(prng)).join("");
  }

  #atom(depth: number): Part | undefined {
    const character = this.#next();
    if (character === "^" || character === "$") return () => "";
    if (character === "(") return this.#group(depth);
    if (character === ".") return (prng) => pick(prng, anyCharacters);
    if (character === "[") return this.#class();
    if (character === "\\") return this.#escape();
    return () => character;
  }

  /** `(…)`, `(?:…)`, `(?<name>…)`; assertions take no text. */
  #group(depth: number): Part | undefined {
    const assertion = /^\?(?:<?[=!])/.test(this.#text.slice(this.#at, this.#at + 3));
    const opening = /^\?(?::|<?[=!]|<\w+>)/.exec(this.#text.slice(this.#at))?.[0] ?? "";
    this.#at += opening.length;
    const inside = this.alternatives(depth + 1);
    if (inside === undefined || !this.#took(")")) return undefined;
    return assertion ? () => "" : inside;
  }

  #escape(): Part | undefined {
    const character = this.#next();
    if (character === "b" || character === "B") return () => "";
    if (/[1-9ckpPux]/.test(character)) return undefined;
    const among = escapes[character] ?? [character];
    return (prng) => pick(prng, among);
  }

  #class(): Part | undefined {
    const negated = this.#took("^");
    const listed = new Set<string>();
    while (!this.#took("]")) {
      if (this.ended) return undefined;
      const some = this.#classItem();
      if (some === undefined) return undefined;
      for (const one of some) listed.add(one);
    }
    const among = negated ? printable.filter((one) => !listed.has(one)) : [...listed];
    return among.length === 0 ? undefined : (prng) => pick(prng, among);
  }

  /** One character, an escape that stands for several, or a range. */
  #classItem(): readonly string[] | undefined {
    const first = this.#classCharacters();
    const isRange = this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]";
    if (first === undefined || first.length !== 1 || !isRange) return first;
    this.#at += 1;
    const last = this.#classCharacters();
    return last?.length === 1 ? characters([first[0]!, last[0]!]) : undefined;
  }

  #classCharacters(): readonly string[] | undefined {
    const character = this.#next();
    if (character !== "\\") return [character];
    const escaped = this.#next();
    return /[cpPux]/.test(escaped) ? undefined : (escapes[escaped] ?? [escaped]);
  }

  /** `?`, `*`, `+`, `{2}`, `{2,}`, `{2,5}`, each maybe lazy. */
  #repeated(part: Part): Part {
    const form = /^(?:([?*+])|\{(\d+)(,(\d*))?\})\??/.exec(this.#text.slice(this.#at));
    if (form === null) return part;
    this.#at += form[0].length;
    const [, sign, from, open, to] = form;
    const least = sign === undefined ? Number(from) : sign === "+" ? 1 : 0;
    const most = sign === "?" ? 1 : open === undefined && sign === undefined ? least : Number(to || "Infinity");
    const more = Math.min(sign === undefined ? most - least : most, repetitionsMax);
    return (prng) => Array.from({ length: least + prng.below(more + 1) }, () => part(prng)).join("");
  }

  #took(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** Empty at the end. */
  #next(): string {
    const character = this.#text.slice(this.#at, this.#at + 1);
    this.#at += 1;
    return character;
  }
}
