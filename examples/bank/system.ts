// The bank: accounts, transfers between them and exchange rates, over HTTP.
import { defineSystem } from "synod";
import { http } from "synod/http";
import { account } from "./account.ts";
import { rates } from "./rates.ts";
import { transfer } from "./transfer.ts";

export default defineSystem({ name: "bank", services: [account, rates, transfer], adapters: [http()] });
