// A cinema with a bug: now and then it sells a seat twice. README.md tells how the simulator finds it.
import { defineSystem } from "synod";
import { http } from "synod/http";
import { booking } from "./booking.ts";
import { hall } from "./hall.ts";

export default defineSystem({ name: "cinema", services: [hall, booking], adapters: [http()] });
