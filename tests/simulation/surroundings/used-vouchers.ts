/** Only one process knows it, and only while it lives. */
export const used: Set<string> = new Set();
