import { createMemoryDatabase, openMemoryStore } from "../../src/adapters/memory/store.ts";
import { storeConformance } from "../../src/conformance/index.ts";

storeConformance({
  name: "memory",
  create: async () => {
    const database = createMemoryDatabase({ system: "conformance" });
    return { open: async () => openMemoryStore(database), remove: async () => {} };
  },
});
