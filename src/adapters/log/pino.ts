/**
 * The log port on pino. Lines go to standard error, one per event, so that standard output stays free for
 * what a command answers: as JSON for machines, or as text for people.
 */
import { writeSync } from "node:fs";
import { type DestinationStream, pino } from "pino";
import type { Log } from "../../ports/log.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  readonly format: "json" | "text";
  /** The least important level that is written. */
  readonly level: LogLevel;
  /** Who speaks: `supervisor`, `node-1`. */
  readonly name: string;
  /** Where lines go; standard error by default. */
  readonly write?: (line: string) => void;
}

/** A log that writes each line at once, so that the last words of a dying process are not lost. */
export function createLog(options: LogOptions): Log {
  const stream = options.format === "text" ? textStream(options) : jsonStream(options);
  const logger = pino(
    {
      level: options.level,
      name: options.name,
      base: { pid: process.pid },
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // With its stack and its causes'; as it is, an error is an empty object in JSON.
      serializers: { error: pino.stdSerializers.err },
    },
    stream,
  );
  return {
    debug: (message, fields) => logger.debug(besidesOwn(fields ?? {}), message),
    info: (message, fields) => logger.info(besidesOwn(fields ?? {}), message),
    warn: (message, fields) => logger.warn(besidesOwn(fields ?? {}), message),
    error: (message, fields) => logger.error(besidesOwn(fields ?? {}), message),
  };
}

/** What every line says of itself. */
const ownFields: ReadonlySet<string> = new Set(["level", "time", "pid", "name", "message"]);

/** Fields that would take the place of the line's own get a `_` behind their names: users' code knows nothing of those. */
function besidesOwn(fields: Record<string, unknown>): Record<string, unknown> {
  if (!Object.keys(fields).some((field) => ownFields.has(field))) return fields;
  const freeName = (field: string): string => (Object.hasOwn(fields, field) ? freeName(`${field}_`) : field);
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [ownFields.has(field) ? freeName(field) : field, value]),
  );
}

/** Not pino's own destination, which throws out of whatever is logging when a disk is full. */
function jsonStream({ write = writeToStderr }: LogOptions): DestinationStream {
  return { write };
}

function textStream({ write = writeToStderr, level }: LogOptions): DestinationStream {
  const stackOf = level === "debug" ? (stack: string) => stack : downToTheUsersCode;
  return { write: (line) => write(textLine(JSON.parse(line) as Record<string, unknown>, stackOf)) };
}

function writeToStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log any more, or its disk is full, which must not end the process.
  }
}

/**
 * `12:30:05.120 warn  node-1  the message  field=value other={"a":1} error="its message"`; the stack of an error that
 * is one for the operator stands on lines of its own below.
 */
function textLine(entry: Record<string, unknown>, stackOf: (stack: string) => string): string {
  const { level, time, pid: _pid, name, message, ...fields } = entry;
  const clock = String(time).slice(11, 23);
  const error = serializedError(fields.error);
  const shown = error === undefined ? fields : { ...fields, error: error.message };
  const tail = Object.entries(shown).map(([field, value]) => `${field}=${textValue(value)}`);
  const words = [clock, String(level).padEnd(5), String(name), ` ${String(message)}`];
  const stack = error === undefined || level !== "error" ? "" : `${stackOf(error.stack).replaceAll(/^/gm, "    ")}\n`;
  return `${words.join(" ")}${tail.length > 0 ? `  ${tail.join(" ")}` : ""}\n${stack}`;
}

/** The folder of Synod's own modules, `src/` or `dist/`. */
const own = new URL("../../", import.meta.url).href;

/** Below the last frame of the user's own code stands the runtime that called it; a stack without such frames is ours to read. */
function downToTheUsersCode(stack: string): string {
  const lines = stack.split("\n");
  const last = lines.findLastIndex(
    (line) => /^ +at .*file:\/\//.test(line) && !line.includes(own) && !line.includes("/node_modules/"),
  );
  return last < 0 ? stack : lines.slice(0, last + 1).join("\n");
}

/** What became of an Error on its way here. */
function serializedError(value: unknown): { readonly message: string; readonly stack: string } | undefined {
  const { message, stack } = (value ?? {}) as Record<string, unknown>;
  return typeof message === "string" && typeof stack === "string" ? { message, stack } : undefined;
}

function textValue(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
