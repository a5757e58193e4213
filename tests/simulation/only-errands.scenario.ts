/** Nothing but sagas, as a file for the command line. */
import type { Scenario } from "../../src/simulation/index.ts";
import { onlyErrands } from "./only-errands.ts";

const scenario: Scenario = onlyErrands(20_000);
export default scenario;
