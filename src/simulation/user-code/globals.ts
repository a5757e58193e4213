/**
 * What user code puts on the global object while a run lasts. There is one for all nodes, and it outlives their
 * processes: what is kept there would be known to all, and survive every crash, as on no real machine. Names only:
 * behind symbols packages that are loaded late, and Node itself, keep what they want to find once.
 */

/** The returned function gives the names that came since, and takes them away: the next run finds nothing of this one. */
export function watchGlobals(): () => string[] {
  const before = new Set(Object.getOwnPropertyNames(globalThis));
  return () => {
    const names = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
    for (const name of names) Reflect.deleteProperty(globalThis, name);
    return names;
  };
}
