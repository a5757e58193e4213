/** Senders, and receivers that are away until they are told to be at home. */
import { command, defineInterface, defineSystem, implement, query, SynodError, type System } from "synod";
import { z } from "zod";

const Box = defineInterface("box", { key: z.string(), operations: { put: command({ input: z.number() }) } });
export const Post = defineInterface("post", {
  key: z.string(),
  operations: {
    send: command({ input: z.object({ from: z.int(), count: z.int() }) }),
    sent: query({ output: z.int() }),
  },
});

/** Receivers of one sender. */
const boxesPerSender = 10;

export interface Receivers {
  away: boolean;
  delivered: number;
}

export function mailSystem(receivers: Receivers): System {
  const box = implement(Box, {
    state: { version: 1, initial: () => ({ letters: 0 }) },
    operations: {
      put: (ctx) => {
        if (receivers.away) throw new SynodError("unavailable", "nobody is at home");
        receivers.delivered += 1;
        ctx.state.letters += 1;
      },
    },
  });
  const post = implement(Post, {
    sends: [Box],
    state: { version: 1, initial: () => ({ sent: 0 }) },
    operations: {
      send: (ctx, { from, count }) => {
        for (let number = from; number < from + count; number++) {
          ctx.send(Box, `${ctx.key}-${number % boxesPerSender}`).put(number);
        }
        ctx.state.sent += count;
      },
      sent: (ctx) => ctx.state.sent,
    },
  });
  return defineSystem({ name: "bench", services: [box, post] });
}
