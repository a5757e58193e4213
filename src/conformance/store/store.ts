/**
 * What every store adapter must do, as a suite for `node:test`. It knows a store only by its port; what a
 * store can fail at besides (a full disk, a held lock, a killed process) it tests where the adapter's own tests
 * say how to bring that about.
 *
 * @example
 * ```ts
 * import { storeConformance } from "synod/conformance";
 *
 * storeConformance({ name: "my store", create: async () => await newDatabase() });
 * ```
 */
import { after, before, describe } from "node:test";
import { claimTests } from "./claims.ts";
import { commitTests } from "./commits.ts";
import { contentionTests } from "./contention.ts";
import { faultTests } from "./faults.ts";
import { type Fixture, openFixture, type StoreConformanceOptions } from "./fixture.ts";
import { identityTests } from "./identity.ts";
import { leaseTests } from "./leases.ts";
import { numberTests } from "./numbers.ts";
import { pageTests } from "./pages.ts";
import { recordTests } from "./records.ts";
import { sessionTests } from "./sessions.ts";
import { trimTests } from "./trims.ts";
import { workTests } from "./work.ts";

export function storeConformance(options: StoreConformanceOptions): void {
  const group = (name: string, tests: (fixture: () => Fixture) => void): void => {
    describe(name, () => {
      let opened: Fixture | undefined;
      before(async () => {
        opened = await openFixture(options.create);
      });
      after(async () => await opened?.close());
      tests(() => {
        if (opened === undefined) throw new Error("the database could not be opened");
        return opened;
      });
    });
  };
  describe(`store conformance: ${options.name}`, () => {
    group("identity", (fixture) => identityTests(options, fixture));
    group("leases", leaseTests);
    group("claims", claimTests);
    group("commits", commitTests);
    group("records", recordTests);
    group("trims", trimTests);
    group("sessions", sessionTests);
    group("pending work", workTests);
    group("numbers", numberTests);
    group("pages", pageTests);
    group("contention", (fixture) => contentionTests(options, fixture));
    group("faults", (fixture) => faultTests(options, fixture));
  });
}
