/** A system whose services send to each other, for the tests of messages and timers. */
import { command, defineInterface, defineSystem, implement, query, type System } from "synod";
import { z } from "zod";

const Letter = z.object({ from: z.string(), text: z.string() });

/** Receives. */
const Box = defineInterface("box", {
  key: z.string(),
  operations: {
    put: command({ input: Letter, errors: { closed: z.null() } }),
    /** Promised, and done later. */
    file: command({ durable: true, input: Letter }),
    close: command(),
    letters: query({ output: z.array(z.string()) }),
  },
});

const Sending = z.object({ to: z.string(), texts: z.array(z.string()), after: z.number().optional() });
const Alarm = z.object({ name: z.string(), afterMs: z.number(), text: z.string() });

/** Sends, and sets timers. */
const Post = defineInterface("post", {
  key: z.string(),
  operations: {
    send: command({ input: Sending, errors: { refused: z.null() } }),
    /** Sends, and then does not return. */
    spoil: command({ input: Sending, errors: { refused: z.null() } }),
    file: command({ input: Sending }),
    ping: command({ input: z.object({ to: z.string(), hops: z.number() }) }),
    set: command({ input: Alarm }),
    cancel: command({ input: z.string() }),
    ring: command({ input: z.string() }),
    /** A durable command, for a timer to run. */
    toll: command({ durable: true, input: z.string() }),
    setToll: command({ input: Alarm }),
    rung: query({ output: z.array(z.string()) }),
  },
});

/** What a test does to the handlers. */
export interface Trouble {
  /** Throws, kills a node, or waits. */
  put?: (key: string, text: string) => void | Promise<void>;
  ring?: (key: string, text: string) => void;
  file?: (key: string, text: string) => void;
}

export function mailSystem(trouble: Trouble = {}): System {
  const box = implement(Box, {
    state: { version: 1, initial: () => ({ letters: [] as string[], closed: false }) },
    operations: {
      put: async (ctx, { from, text }) => {
        await trouble.put?.(ctx.key, text);
        if (ctx.state.closed) throw ctx.fail("closed", null);
        ctx.state.letters.push(`${from}:${text}`);
      },
      file: (ctx, { from, text }) => {
        trouble.file?.(ctx.key, text);
        ctx.state.letters.push(`${from}:${text} filed`);
      },
      close: (ctx) => {
        ctx.state.closed = true;
      },
      letters: (ctx) => ctx.state.letters,
    },
  });
  const post = implement(Post, {
    sends: [Box, Post],
    state: { version: 1, initial: () => ({ sent: 0, rung: [] as string[] }) },
    operations: {
      send: (ctx, { to, texts, after }) => {
        const toBox = ctx.send(Box, to, after === undefined ? {} : { after });
        for (const text of texts) toBox.put({ from: ctx.key, text });
        ctx.state.sent += texts.length;
      },
      spoil: (ctx, { to, texts }) => {
        for (const text of texts) ctx.send(Box, to).put({ from: ctx.key, text });
        ctx.timer("spoiled").set({ after: 0 }).ring("spoiled");
        if (texts[0] === "refused") throw ctx.fail("refused", null);
        throw new Error("spoiled");
      },
      file: (ctx, { to, texts }) => {
        for (const text of texts) ctx.send(Box, to).file({ from: ctx.key, text });
      },
      ping: (ctx, { to, hops }) => {
        ctx.state.sent += 1;
        if (hops > 0) ctx.send(Post, to).ping({ to: ctx.key, hops: hops - 1 });
      },
      set: (ctx, { name, afterMs, text }) => ctx.timer(name).set({ after: afterMs }).ring(text),
      cancel: (ctx, name) => ctx.timer(name).cancel(),
      ring: (ctx, text) => {
        trouble.ring?.(ctx.key, text);
        ctx.state.rung.push(text);
      },
      toll: (ctx, text) => {
        ctx.state.rung.push(`${text} tolled`);
      },
      setToll: (ctx, { name, afterMs, text }) => ctx.timer(name).set({ after: afterMs }).toll(text),
      rung: (ctx) => ctx.state.rung,
    },
  });
  return defineSystem({ name: "test", services: [box, post] });
}
