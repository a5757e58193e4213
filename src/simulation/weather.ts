/** The weather of a run: what is always a little wrong. Drawn once per seed; parts of it are switched off entirely. */
import { chance, type Prng, pick } from "../values/prng.ts";
import type { NetworkWeather } from "./world/network.ts";
import type { StoreKind, StoreWeather } from "./world/store.ts";
import { between, seedPrng } from "./world/world.ts";

export interface Weather {
  readonly network: NetworkWeather;
  readonly store: StoreWeather;
  /** How likely it is that a client does not get an answer that was sent to it. */
  clientAnswerLost: number;
}

/** Nothing is lost and little is late. */
export function fairWeather(): Weather {
  return {
    network: { delayMinMs: 0.1, delayMaxMs: 2, cutProbability: 0.1 },
    store: { delayMinMs: 0.1, delayMaxMs: 1, writeMinMs: 0.5, writeMaxMs: 4, requestLost: 0, answerLost: 0, late: 0 },
    clientAnswerLost: 0,
  };
}

export function drawWeather(prng: Prng): Weather {
  const sometimes = (most: number): number => (chance(prng, 0.5) ? between(prng, 0, most) : 0);
  return {
    network: {
      delayMinMs: between(prng, 0.05, 1),
      delayMaxMs: pick(prng, [1, 5, 30, 150]) + between(prng, 1, 3),
      cutProbability: sometimes(0.6),
    },
    store: {
      delayMinMs: between(prng, 0.05, 1),
      delayMaxMs: pick(prng, [2, 5, 40]),
      writeMinMs: between(prng, 0.1, 2),
      writeMaxMs: pick(prng, [4, 10, 60]),
      requestLost: sometimes(0.02),
      answerLost: sometimes(0.02),
      late: sometimes(0.01),
    },
    clientAnswerLost: sometimes(0.05),
  };
}

/** Where the state of a run lies: half of them have a server. */
export function drawStoreKind(seed: number): StoreKind {
  return pick(seedPrng(seed, "store kind"), ["file", "server"]);
}

/** Changes the weather of a world that is under way. */
export function setWeather(weather: Weather, to: Weather): void {
  Object.assign(weather.network, to.network);
  Object.assign(weather.store, to.store);
  weather.clientAnswerLost = to.clientAnswerLost;
}
