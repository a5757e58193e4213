/**
 * A system of what goes on by itself: sagas that call several entities at once, ask the world outside and leave messages;
 * entities that send to each other and back; timers that are set, moved and cancelled; a stateless command that calls
 * in another order each time.
 */
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query, type System } from "../../src/index.ts";

const shelves = ["a", "b", "c"] as const;
const names = z.enum(["a", "b", "c", "d", "e"]);
const small = z.int().min(0).max(50);

const Shelf = defineInterface("shelf", {
  key: z.string().min(1),
  operations: {
    put: command({ input: z.int(), output: z.int(), errors: { full: z.int() } }),
    look: query({ output: z.int() }),
  },
});

/** The world outside, which never says the same thing twice. */
const Scale = defineInterface("scale", {
  operations: { weigh: command({ output: z.int() }), glance: query({ output: z.int() }) },
});

const Letter = z.object({ from: names, number: z.int() });

const Box = defineInterface("box", {
  key: z.string().min(1),
  operations: {
    put: command({ input: Letter, errors: { unwanted: z.int() } }),
    /** Promised at once, and done later. */
    file: command({ durable: true, input: Letter }),
    letters: query({ output: z.array(z.string()) }),
  },
});

const Post = defineInterface("post", {
  key: names,
  operations: {
    send: command({ input: z.object({ to: names, count: z.int().min(1).max(3) }), output: z.int() }),
    /** Leaves the state as it is. */
    pass: command({ input: z.object({ to: names, number: small }) }),
    later: command({ input: z.object({ to: names, afterMs: z.int().min(0).max(2_000) }) }),
    file: command({ input: z.object({ to: names, number: small }) }),
    /** Sends, and then decides against it. */
    refuse: command({ input: z.object({ to: names, number: small }), errors: { refused: z.int() } }),
    hold: command({ input: z.int().min(0).max(3_000), output: z.int() }),
    confirm: command({ output: z.int() }),
    expire: command({ input: z.int() }),
    remind: command({ input: z.int().min(0).max(1_500) }),
    settle: command({ durable: true, input: z.int() }),
    acknowledge: command({ input: z.int() }),
    state: query({ output: z.unknown() }),
  },
});

const Errand = defineInterface("errand", {
  key: z.string().min(1),
  operations: {
    run: command({
      durable: true,
      input: z.object({ from: names, to: names, spoilt: z.boolean() }),
      output: z.object({ status: z.string(), weight: z.int() }),
      errors: { refused: z.int() },
    }),
    both: command({ durable: true, input: z.object({ other: z.string() }), output: z.string() }),
    status: query({ output: z.string() }),
  },
});

const Crowd = defineInterface("crowd", {
  operations: { spread: command({ input: small, output: z.array(z.int()) }) },
});

const shelf = implement(Shelf, {
  state: { version: 1, initial: () => ({ sum: 0, puts: 0 }) },
  operations: {
    put: (ctx, weight) => {
      if (weight % 13 === 12) throw ctx.fail("full", ctx.state.puts);
      ctx.state.sum += weight;
      ctx.state.puts += 1;
      return ctx.state.puts;
    },
    look: (ctx) => ctx.state.puts,
  },
});

const scale = implement(Scale, {
  operations: {
    weigh: () => Math.floor(Math.random() * 1_000),
    glance: () => Math.floor(Math.random() * 1_000),
  },
});

const box = implement(Box, {
  sends: [Post],
  state: { version: 1, initial: () => ({ letters: [] as string[], count: 0 }) },
  operations: {
    put: (ctx, { from, number }) => {
      if (number % 17 === 16) throw ctx.fail("unwanted", number);
      ctx.state.letters = [...ctx.state.letters.slice(-8), `${from}:${number}`];
      ctx.state.count += 1;
      if (number % 3 === 0) ctx.send(Post, from).acknowledge(number);
    },
    file: (ctx, { from, number }) => {
      ctx.state.letters = [...ctx.state.letters.slice(-8), `${from}:${number} filed`];
      ctx.state.count += 1;
      ctx.send(Post, from).acknowledge(number);
    },
    letters: (ctx) => ctx.state.letters,
  },
});

const post = implement(Post, {
  sends: [Box, Post],
  state: { version: 1, initial: () => ({ sent: 0, acknowledged: 0, held: 0, expired: 0, settled: 0 }) },
  operations: {
    send: (ctx, { to, count }) => {
      for (let letter = 0; letter < count; letter++) {
        ctx.state.sent += 1;
        ctx.send(Box, to).put({ from: ctx.key, number: ctx.state.sent });
      }
      return ctx.state.sent;
    },
    pass: (ctx, { to, number }) => ctx.send(Box, to).put({ from: ctx.key, number }),
    later: (ctx, { to, afterMs }) => {
      ctx.state.sent += 1;
      ctx.send(Box, to, { after: afterMs }).put({ from: ctx.key, number: ctx.state.sent });
    },
    file: (ctx, { to, number }) => ctx.send(Box, to).file({ from: ctx.key, number }),
    refuse: (ctx, { to, number }) => {
      ctx.state.sent += 1;
      ctx.send(Box, to).put({ from: ctx.key, number });
      ctx.timer("hold").cancel();
      throw ctx.fail("refused", number);
    },
    hold: (ctx, afterMs) => {
      ctx.state.held += 1;
      ctx.timer("hold").set({ after: afterMs }).expire(ctx.state.held);
      return ctx.state.held;
    },
    confirm: (ctx) => {
      ctx.timer("hold").cancel();
      return ctx.state.expired;
    },
    expire: (ctx, held) => {
      ctx.state.expired += 1;
      if (held % 4 === 3)
        ctx
          .timer("hold")
          .set({ after: 200 })
          .expire(held + 1);
    },
    remind: (ctx, afterMs) =>
      ctx
        .timer(`remind ${afterMs % 2}`)
        .set({ after: afterMs })
        .settle(afterMs),
    settle: (ctx, number) => {
      ctx.state.settled += 1;
      ctx.send(Box, "a").put({ from: ctx.key, number });
    },
    acknowledge: (ctx) => {
      ctx.state.acknowledged += 1;
    },
    state: (ctx) => ctx.state,
  },
});

/** How likely an attempt of a spoilt errand fails, of its first ones: the waits between later ones are longer than a run. */
const spoiltShare = 0.4;
const spoiltAttemptsMax = 6;

const errand = implement(Errand, {
  calls: [Shelf, Scale, Crowd],
  sends: [Box],
  state: { version: 1, initial: () => ({ status: "new", weight: 0 }) },
  operations: {
    run: async (ctx, { from, to, spoilt }) => {
      if (ctx.state.status !== "new") throw ctx.fail("refused", ctx.state.weight);
      const [puts, glance] = await Promise.all([ctx.to(Shelf, from).look(), ctx.to(Scale).glance()]);
      const first = await ctx.to(Shelf, from).put.safe(puts + glance);
      const weight = await ctx.to(Scale).weigh();
      const mayFail = spoilt && ctx.request.attempt <= spoiltAttemptsMax;
      if (mayFail && Math.random() < spoiltShare) throw new Error("this errand is spoilt");
      const dice = await ctx.step("dice", () => Math.floor(Math.random() * 6));
      const last = await Promise.all([
        ctx.to(Shelf, to).put.safe(weight),
        ctx.to(Shelf, from).put.safe(dice),
        ctx.to(Shelf, to, { id: "tip" }).put.safe(1),
      ]);
      const status = [first, ...last].map(({ ok }) => (ok ? "put" : "full")).join(" ");
      if (dice % 2 === 0) await ctx.to(Crowd).spread(dice);
      ctx.send(Box, to).put({ from: "a", number: weight });
      ctx.state = { status, weight };
      return ctx.state;
    },
    both: async (ctx, { other }) => {
      const weight = await ctx.to(Scale).glance();
      const done = await ctx.to(Shelf, "d").put.safe(weight);
      ctx.send(Box, "d").file({ from: "d", number: weight });
      ctx.state = { status: `${other} ${done.ok}`, weight };
      return ctx.state.status;
    },
    status: (ctx) => ctx.state.status,
  },
});

const crowd = implement(Crowd, {
  calls: [Shelf],
  operations: {
    spread: (ctx, weight) =>
      Promise.all(
        shelves.map(async (name) => {
          await ctx.to(Shelf, name).look();
          // In whichever order the answers come.
          await ctx.to(Shelf, name).put(weight);
          return ctx.to(Shelf, name).look();
        }),
      ),
  },
});

export const errands: System = defineSystem({
  name: "errands",
  services: [shelf, scale, box, post, errand, crowd],
});
