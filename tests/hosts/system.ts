/** The workload system on a host of its own, whose clients are elsewhere. */
import { defineSystem } from "synod";
import { http } from "synod/http";
import workload from "../cluster/system.ts";

const host = process.env.SYNOD_HOSTS_ADDRESS ?? "127.0.0.1";

export default defineSystem({
  name: workload.name,
  services: workload.services,
  adapters: [http({ host, port: 8080, insecure: true })],
});
