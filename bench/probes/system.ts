// The bank, with a promise of its availability, so that it is probed.
import { defineSystem } from "synod";
import { http } from "synod/http";
import { account } from "../../examples/bank/account.ts";
import { rates } from "../../examples/bank/rates.ts";
import { transfer } from "../../examples/bank/transfer.ts";

export default defineSystem({
  name: "probed-bank",
  services: [account, rates, transfer],
  adapters: [http()],
  availability: { objective: "99.9%" },
});
