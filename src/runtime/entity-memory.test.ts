import assert from "node:assert/strict";
import { test } from "node:test";
import { EntityMemory, type Passivable } from "./entity-memory.ts";

/** An entity of ten bytes with nothing to do, which says when it goes. */
class Entity implements Passivable {
  bytes = 10;
  idle = true;
  readonly #name: string;
  readonly #gone: string[];

  constructor(name: string, gone: string[]) {
    this.#name = name;
    this.#gone = gone;
  }

  passivate(): void {
    this.#gone.push(this.#name);
  }
}

test("past the budget the entities used longest ago go, and those at work stay", () => {
  const memory = new EntityMemory(30);
  const gone: string[] = [];
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => new Entity(name, gone));
  for (const entity of [a!, b!, c!, a!]) memory.touch(entity);
  assert.deepEqual([memory.bytes, memory.length], [30, 3]);
  memory.touch(d!);
  assert.deepEqual(gone, ["b"]);
  c!.idle = false;
  memory.touch(e!);
  assert.deepEqual(gone, ["b", "a"], "the one before it in the order is at work");
  assert.deepEqual([memory.bytes, memory.length, memory.hasRoom], [30, 3, true]);
});

test("an entity that has grown or gone is counted as it is, and without an idle one there is no room", () => {
  const memory = new EntityMemory(30);
  const gone: string[] = [];
  const [a, b] = ["a", "b"].map((name) => new Entity(name, gone));
  for (const entity of [a!, b!]) entity.idle = false;
  memory.touch(a!);
  memory.touch(b!);
  a!.bytes = 25;
  memory.touch(a!);
  assert.deepEqual([memory.bytes, memory.hasRoom], [35, false]);
  memory.remove(a!);
  memory.remove(a!);
  assert.deepEqual([memory.bytes, memory.length, memory.hasRoom, gone], [10, 1, true, []]);
});
