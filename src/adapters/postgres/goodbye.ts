/** Ends connections, also to a host that has vanished without a word: that one never answers a goodbye. */
import type { Client } from "./primary.ts";

/** How long a host may take for its part of the goodbye, before the connection is cut. */
const goodbyeMaxMs = 500;

/** Never rejects. With a statement under way the connection is cut at once. */
export async function hangUp(client: Client): Promise<void> {
  const cut = setTimeout(() => client.connection.stream.destroy(), goodbyeMaxMs);
  await client.end().catch(() => undefined);
  clearTimeout(cut);
}
