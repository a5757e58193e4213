/**
 * What a side can do: what it answers when more calls in flight make no difference any more. A fixed number of them measures a slow
 * side's latency instead: 128 transfers that take 90 ms each are 1,400 per second, whatever the side has room for.
 */
const inFlightFirst = 16;
/** As many as callers have connections, about. */
const inFlightMax = 4_096;
/** Twice the calls have to bring so many times the rate, or it was found. */
const growthMin = 1.05;

/** `answeredWith`: answers per second with so many calls in flight. The highest of them. */
export async function capacityOf(answeredWith: (inFlight: number) => Promise<number>): Promise<number> {
  let best = await answeredWith(inFlightFirst);
  for (let inFlight = inFlightFirst * 2; inFlight <= inFlightMax; inFlight *= 2) {
    const perSecond = await answeredWith(inFlight);
    const grew = perSecond >= best * growthMin;
    best = Math.max(best, perSecond);
    if (!grew) break;
  }
  return best;
}
