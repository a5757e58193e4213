/** The least program that does the same work: a framed socket before the owner of `../limit/owner.ts`. */
import type { Run } from "../bench.ts";
import { connectFrames, serveFrames } from "../limit/frames.ts";
import { openOwner } from "../limit/owner.ts";
import type { Serve } from "../partner.ts";
import { measureDurable } from "./load.ts";

export const serve: Serve = async ({ folder }) => {
  const { owner, close } = await openOwner(folder);
  const served = await serveFrames((session, number, text, answer) => {
    const keyEnd = text.indexOf("\n");
    const [key, inputText] = [text.slice(0, keyEnd), text.slice(keyEnd + 1)];
    owner.add({ key, input: JSON.parse(inputText), inputText, id: `${session}/${number}` }, answer);
  });
  return { address: served.address, close: () => Promise.all([served.close(), close()]) };
};

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (address) => {
      const { ask, close } = await connectFrames(address);
      const add = async (key: string): Promise<number> =>
        (JSON.parse(await ask(`${key}\n${JSON.stringify({ by: 1 })}`)) as { count: number }).count;
      return { add, close };
    },
    options,
  );
