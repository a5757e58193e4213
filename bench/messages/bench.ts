/**
 * Messages: commands that send one each, on a node with SQLite and full sync. A message counts when its receiver has
 * been changed by it, so each stands for two commands. The limit is the same command without its message: what a send
 * could cost at the least. Beside it, durable commands of the same size.
 */
import type { Bench, Variant } from "../bench.ts";

interface MessagesVariant extends Variant {
  readonly inFlight: number;
}

const messagesVariants: readonly MessagesVariant[] = [256, 1].map((inFlight) => ({
  name: `spread-${inFlight}`,
  title: `1,000 senders, 1,000 receivers, ${inFlight} in flight`,
  inFlight,
}));

export function messagesVariant(name: string): MessagesVariant {
  const found = messagesVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench messages has no variant ${name}`);
  return found;
}

export const messages: Bench = {
  name: "messages",
  summary: "messages from entity to entity, each effectively once, in SQLite with full sync",
  unit: "messages/s",
  variants: messagesVariants,
  mainVariant: "spread-256",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
    "durable command": new URL("./promise.ts", import.meta.url),
  },
};
