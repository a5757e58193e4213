/**
 * The least program that does the same work: five commits after each other for a trip, each in the next batch of the
 * owner that the bench `durable` has too: accepted, three bookings, finished. No trip is ever repeated by it.
 */
import type { Run } from "../bench.ts";
import { connectFrames, serveFrames } from "../limit/frames.ts";
import { type Owner, openOwner } from "../limit/owner.ts";
import type { Serve } from "../partner.ts";
import { measureSagas, type Trip } from "./load.ts";

const input = { by: 1 };
const inputText = JSON.stringify(input);

export const serve: Serve = async ({ folder }) => {
  const { owner, close } = await openOwner(folder);
  const served = await serveFrames((_session, _number, text, answer) => void travel(owner, text).then(answer));
  return { address: served.address, close: () => Promise.all([served.close(), close()]) };
};

async function travel(owner: Owner, text: string): Promise<string> {
  const { id, stops } = JSON.parse(text) as Trip;
  let steps = 0;
  const commit = (key: string): Promise<number> =>
    new Promise((resolve) => {
      const answer = (reply: string): void => resolve((JSON.parse(reply) as { count: number }).count);
      owner.add({ key, input, inputText, id: `${id}/${steps++}` }, answer);
    });
  await commit(id);
  const places: number[] = [];
  for (const stop of stops) places.push(await commit(stop));
  await commit(id);
  return JSON.stringify(places);
}

export const run: Run = (options) =>
  measureSagas(
    import.meta.url,
    async (address) => {
      const { ask, close } = await connectFrames(address);
      return { travel: async (trip) => JSON.parse(await ask(JSON.stringify(trip))) as number[], close };
    },
    options,
  );
