/**
 * The list with one more: a new one where it was empty. For lists that have one element and then none nearly always, because
 * the first element that is pushed takes room for seventeen, and gives it back with the last.
 */
export function added<T>(list: T[], element: T): T[] {
  if (list.length === 0) return [element];
  list.push(element);
  return list;
}
