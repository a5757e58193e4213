/**
 * `npm run test:membership`: what membership costs with 10, 100 and 1,000 nodes; `-- --nodes 300` for another number. Ends with
 * exit code 1 when a node's requests grow with the number of nodes, or a full view costs it 10 ms or more.
 */
import { parseArgs } from "node:util";
import { measureMembership } from "./growth.ts";

const viewChangeMaxMs = 10;

const { values } = parseArgs({
  options: { nodes: { type: "string", multiple: true, default: ["10", "100", "1000"] } },
});
const sizes = values.nodes.map(Number);
if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) throw new Error("--nodes is a whole number");

console.log("simulated: nodes without links on a store in memory, in one process, in virtual time");
let isKept = true;
let perNode: number | undefined;
for (const size of sizes) {
  const { nodes, storeRequestsPerSecond, quietMs, viewChangeMs } = await measureMembership(size);
  const requests = storeRequestsPerSecond / nodes;
  console.log(
    `${nodes} nodes: ${storeRequestsPerSecond} store requests/s (${requests} of each node); processor time of one node: ` +
      `${quietMs.toFixed(3)} ms for a heartbeat, ${viewChangeMs.toFixed(3)} ms more with a full view`,
  );
  perNode ??= requests;
  isKept &&= requests <= perNode && viewChangeMs < viewChangeMaxMs;
}
if (!isKept) process.exitCode = 1;
