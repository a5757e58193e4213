/**
 * What a handler leaves behind for later, as it does: `ctx.send`, `ctx.timer` and `ctx.step` with somebody who notes.
 * What the handler gets is what the runtime gave; what the runtime refuses is not noted.
 */
import type { AnyInterface } from "../service/model.ts";
import { type Duration, parseDuration } from "../values/durations.ts";
import { encodeJson } from "../values/json.ts";
import type { LeftBehind } from "./operation.ts";

type Commands = Readonly<Record<string, (input?: unknown) => void>>;
type Send = (receiver: unknown, ...rest: unknown[]) => Commands;
type SetTimer = (name: string) => { readonly set: (time: unknown) => Commands; readonly cancel: () => void };
type Step = (name: string, act: () => unknown) => Promise<unknown>;

/** `now` is the handler's `ctx.now`. */
export function watchedSend(send: Send, left: LeftBehind, now: () => number): Send {
  return (receiver, ...rest) => {
    const commands = send(receiver, ...rest);
    const { name: service, key } = receiver as AnyInterface;
    const target = key === undefined ? null : String(rest[0]);
    const { after = 0 } = ((key === undefined ? rest[0] : rest[1]) ?? {}) as { readonly after?: Duration };
    const afterMs = parseDuration(after, "the delay of a message");
    const dueAt = afterMs === 0 ? null : Math.ceil(now() + afterMs);
    return noted(commands, (operation, input) => left.messages.push({ service, target, operation, input, dueAt }));
  };
}

export function watchedTimer(timer: SetTimer, left: LeftBehind, now: () => number): SetTimer {
  return (name) => {
    const { set, cancel } = timer(name);
    return {
      set: (time) => {
        const commands = set(time);
        const { after, at = 0 } = time as { readonly after?: Duration; readonly at?: number };
        const dueAt = Math.ceil(after === undefined ? at : now() + parseDuration(after, "the time of a timer"));
        return noted(commands, (operation, input) => left.timers.set(name, { operation, input, dueAt }));
      },
      cancel: () => {
        cancel();
        left.timers.set(name, null);
      },
    };
  };
}

/** `made` is told of a step when it is begun, and returns who is told what came of it. */
export function watchedStep(step: Step, made: (name: string) => (outcome: string) => void): Step {
  return (name, act) => {
    const done = made(`step ${name}`);
    const result = step(name, act).then((value) => {
      done(value === undefined ? "" : JSON.stringify(value));
      return value;
    });
    result.catch(() => {});
    return result;
  };
}

function noted(commands: Commands, note: (operation: string, input: string | null) => void): Commands {
  return Object.fromEntries(
    Object.entries(commands).map(([operation, command]) => [
      operation,
      (input?: unknown) => {
        command(input);
        note(operation, input === undefined ? null : encodeJson(input, "an input"));
      },
    ]),
  );
}
