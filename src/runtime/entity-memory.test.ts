import assert from "node:assert/strict";
import { test } from "node:test";
import { EntityMemory, type Passivable, Place } from "./entity-memory.ts";

class Entity implements Passivable {
  readonly bytes = 10;
  idle: boolean;
  passivated = false;

  constructor(idle: boolean) {
    this.idle = idle;
  }

  passivate(): void {
    this.passivated = true;
  }
}

test("an idle entity behind many that are at work is found after a few searches", () => {
  const memory = new EntityMemory({ bytesMax: 2_000, reserveBytesMax: 0 });
  for (let count = 0; count < 200; count++) memory.touch(new Place(new Entity(false)));
  const idle = new Entity(true);
  memory.touch(new Place(idle));
  for (let searches = 0; searches < 4; searches++) memory.hasRoom(0);
  assert.equal(idle.passivated, true);
  assert.equal(memory.bytes, 2_000);
});

test("the reserve is for those who may use it, each to his part", () => {
  const memory = new EntityMemory({ bytesMax: 95, reserveBytesMax: 40 });
  const rooms = (): boolean[] => [0, 0.5, 1].map((part) => memory.hasRoom(part));
  for (let count = 0; count < 9; count++) memory.touch(new Place(new Entity(false)));
  assert.deepEqual(rooms(), [true, true, true]);
  memory.touch(new Place(new Entity(false)));
  assert.deepEqual(rooms(), [false, true, true]);
  memory.touch(new Place(new Entity(false)));
  memory.touch(new Place(new Entity(false)));
  assert.deepEqual(rooms(), [false, false, true]);
  memory.touch(new Place(new Entity(false)));
  memory.touch(new Place(new Entity(false)));
  assert.deepEqual(rooms(), [false, false, false]);
});
