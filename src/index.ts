/**
 * Synod: a runtime for building distributed systems in plain TypeScript.
 *
 * An interface says what the world may ask ({@link defineInterface}), a service answers it
 * ({@link implement}), a system is what runs ({@link defineSystem}).
 */
export { type Outcome, type StatusCode, SynodError, type SynodErrorOptions, type Violation } from "./errors.ts";
export { type RunningSystem, type StartOptions, startSystem } from "./host/start-system.ts";
export type { InboundAdapter } from "./ports/gateway.ts";
export type { Log } from "./ports/log.ts";
export type { Address, Call, CallOptions, DeclaredError, Operations, Result, StatusError } from "./service/call.ts";
export type {
  CommandContext,
  DurableContext,
  QueryContext,
  Request,
  StatelessCommandContext,
  StatelessQueryContext,
} from "./service/context.ts";
export type { Frozen } from "./service/frozen.ts";
export { implement, type Service } from "./service/implement.ts";
export {
  type Command,
  command,
  type DurableCommand,
  defineInterface,
  type Interface,
  type Query,
  query,
  type Transformed,
} from "./service/interface.ts";
export type { Messages, NamedTimer, Sending, SendOptions, TimerTime } from "./service/sending.ts";
export type { SystemSettings } from "./service/settings.ts";
export { defineSystem, replaceServices, type System } from "./service/system.ts";
export type { Duration } from "./values/durations.ts";
