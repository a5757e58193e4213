/**
 * The client library: typed calls to a running system over HTTP, from Node or a browser.
 *
 * What it adds to `fetch`: types from the interface, an idempotency key for every command, and repeats of whatever
 * may be repeated until the deadline, under a budget. Whoever just calls it gets effectively-once.
 */
export { SynodError } from "../errors.ts";
export { type Client, type ClientOptions, connect } from "./client.ts";
export type { Accepted, OutcomeCall, OutcomeOptions, Outcomes, Sends } from "./sent.ts";
