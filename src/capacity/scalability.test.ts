import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fitScalability, scaledTo } from "./scalability.ts";

const part = fc.double({ min: 0, max: 0.3, noNaN: true });

test("points that follow the law give its coefficients back", () => {
  fc.assert(
    fc.property(fc.double({ min: 10, max: 1e5, noNaN: true }), part, part, (g, contention, coherency) => {
      const law = { g, contention, coherency, peakNodes: undefined };
      const fit = fitScalability([1, 2, 3, 5, 8].map((nodes) => ({ nodes, perSecond: scaledTo(law, nodes) })))!;
      assert.ok(Math.abs(fit.g / g - 1) < 1e-6);
      assert.ok(Math.abs(fit.contention - contention) < 1e-6 && Math.abs(fit.coherency - coherency) < 1e-6);
    }),
  );
});

test("no coefficient is negative, even where more nodes do more than their share", () => {
  const fit = fitScalability([
    { nodes: 1, perSecond: 100 },
    { nodes: 2, perSecond: 220 },
    { nodes: 3, perSecond: 360 },
  ])!;
  assert.ok(fit.contention >= 0 && fit.coherency >= 0);
  assert.equal(fit.peakNodes, undefined);
});

test("a system that does less with more nodes has a number of nodes with which it does most", () => {
  const fit = fitScalability([
    { nodes: 1, perSecond: 100 },
    { nodes: 2, perSecond: 130 },
    { nodes: 3, perSecond: 110 },
  ])!;
  assert.ok(fit.peakNodes! > 1 && fit.peakNodes! < 3, `${fit.peakNodes}`);
});

test("one number of nodes says nothing about scale", () => {
  assert.equal(
    fitScalability([
      { nodes: 3, perSecond: 100 },
      { nodes: 3, perSecond: 110 },
    ]),
    undefined,
  );
});
