import assert from "node:assert/strict";
import { test } from "node:test";
import { Gone, type GoneSignal } from "./gone.ts";

test("a signal calls each of its listeners once, and none that was taken back", () => {
  const gone = new Gone();
  const heard: string[] = [];
  const first = (): void => void heard.push("first");
  const second = (): void => void heard.push("second");
  gone.addEventListener("abort", first);
  gone.addEventListener("abort", first);
  gone.addEventListener("abort", second);
  gone.addEventListener("abort", () => heard.push("third"));
  gone.removeEventListener("abort", second);
  assert.equal(gone.aborted, false);
  gone.abort();
  gone.abort();
  assert.deepEqual(heard, ["first", "third"]);
  assert.equal(gone.aborted, true);
});

test("a listener that another one takes back while the signal fires is not called", () => {
  const gone = new Gone();
  const heard: string[] = [];
  const last = (): void => void heard.push("last");
  gone.addEventListener("abort", () => gone.removeEventListener("abort", last));
  gone.addEventListener("abort", last);
  gone.abort();
  assert.deepEqual(heard, []);
});

test("an AbortSignal is a signal, too", () => {
  const controller = new AbortController();
  const signal: GoneSignal = controller.signal;
  let heard = 0;
  const listener = (): void => {
    heard += 1;
  };
  signal.addEventListener("abort", listener);
  controller.abort();
  assert.equal(heard, 1);
  assert.equal(signal.aborted, true);
});
