// Books a seat if there is one. Between the question and the booking somebody else may have had the last seat.
import { implement } from "synod";
import { Booking } from "./booking.interface.ts";
import { Hall } from "./hall.interface.ts";

export const booking = implement(Booking, {
  calls: [Hall],
  operations: {
    book: async (ctx, { showing }) => {
      const hall = ctx.to(Hall, showing);
      if ((await hall.free()) === 0) return false;
      return await hall.take();
    },
  },
});
