/** The process of a side's partner: opens what the side's module serves, as often as it is told, and closes it. */
import type { Answer, Order, Serve, Served } from "./partner.ts";
import { processorMicroseconds } from "./processor-time.ts";

const [module = ""] = process.argv.slice(2);
const { serve } = (await import(module)) as { readonly serve: Serve };
let served: Served | undefined;

process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  void follow(order).then(tell, (error: unknown) => {
    tell({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});

async function follow(order: Order): Promise<Answer> {
  switch (order.kind) {
    case "open":
      served = await serve(order.options);
      return { kind: "done", address: served.address };
    case "processor time":
      return served?.elsewhere ? { kind: "done" } : { kind: "done", microseconds: processorMicroseconds() };
    case "close":
      await served?.close();
      served = undefined;
      return { kind: "done" };
  }
}

function tell(answer: Answer): void {
  if (process.connected) process.send!(answer);
}
