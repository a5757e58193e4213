/** Nothing but messages, as a file for the command line. */
import type { Scenario } from "../../src/simulation/index.ts";
import { plainSends } from "./plain-sends.ts";

const scenario: Scenario = plainSends(20_000);
export default scenario;
