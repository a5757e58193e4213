// The bank: accounts and exchange rates, over HTTP.
import { defineSystem } from "synod";
import { http } from "synod/http";
import { account } from "./account.ts";
import { rates } from "./rates.ts";

export default defineSystem({ name: "bank", services: [account, rates], adapters: [http()] });
