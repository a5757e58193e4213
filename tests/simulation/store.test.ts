/** The simulated store keeps the whole contract of its port when no faults are on. */
import { after } from "node:test";
import { createMemoryDatabase } from "../../src/adapters/memory/store.ts";
import { storeConformance } from "../../src/conformance/index.ts";
import { fairWeather } from "../../src/simulation/weather.ts";
import { MachineClock } from "../../src/simulation/world/machine-clock.ts";
import { Process } from "../../src/simulation/world/process.ts";
import { SimulatedStore, type StoreObserver } from "../../src/simulation/world/store.ts";
import { World } from "../../src/simulation/world/world.ts";

const nobody: StoreObserver = {
  commitSent: () => undefined,
  deciding: () => {},
  committed: () => {},
  delivered: () => {},
  readSent: () => {},
  answered: () => {},
};

let over = false;
after(() => {
  over = true;
});

storeConformance({
  name: "simulated",
  create: async () => {
    const world = new World({
      seed: 1,
      onThrown: (error) => {
        throw error;
      },
    });
    // For a suite that knows nothing of virtual time: the world goes on by itself, as fast as it can.
    const goOn = async (): Promise<void> => {
      for (; !over; await new Promise((resolve) => setImmediate(resolve))) await world.run(world.now + 5);
    };
    void goOn();
    const database = createMemoryDatabase({ system: "conformance" });
    const store = new SimulatedStore(world, { database, weather: fairWeather().store, observer: nobody });
    const clock = new MachineClock(world, { monotonicMs: 0, offsetMs: 0 });
    let connections = 0;
    return {
      open: async () => store.portOf(new Process(world, `node-${++connections}`, 1, clock)),
      remove: async () => {},
    };
  },
});
