// What runs: the services, and how the world reaches them.
import { defineSystem } from "synod";
import { http } from "synod/http";
import { counter } from "./counter.ts";

export default defineSystem({ name: "new-system", services: [counter], adapters: [http()] });
