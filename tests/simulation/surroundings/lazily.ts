/** Imported by a handler, when it is asked for the first time. */
let count = 0;
export const lazily = (): number => ++count;
