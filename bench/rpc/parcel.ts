/** What is sent there and back: an object that is 100 bytes of JSON. */
import { z } from "zod";

export const Parcel = z.object({
  number: z.int().min(0),
  to: z.string().min(1).max(64),
  text: z.string().max(256),
  urgent: z.boolean(),
});
export type Parcel = z.infer<typeof Parcel>;

/** Of nine digits each, so that all parcels are of one length. */
const firstNumber = 100_000_000;

/** The n-th parcel. */
export function parcelOf(n: number): Parcel {
  return { number: firstNumber + n, to: "warehouse-17", text: "fourteen boxes of oranges, one torn", urgent: false };
}
