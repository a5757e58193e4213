/** `synod node --metrics-listen`: the meters where Prometheus on another machine reaches them, with the node's certificate. */
import { isLoopback } from "../adapters/http/listen.ts";
import { parseAddress } from "../adapters/tcp/address.ts";
import type { TlsIdentity } from "../adapters/tcp/identity.ts";
import { givenToken } from "../admin/admin-file.ts";
import { type MetricsServer, startMetricsServer } from "../admin/metrics-server.ts";
import { metricsOf } from "../admin/server.ts";
import type { AdminTarget } from "../admin/target.ts";
import { UsageError } from "./exit.ts";

export interface NodeMetricsOptions {
  /** `HOST:PORT`, if they are to be there. */
  readonly listen: string | undefined;
  /** The node's certificate, if it has one. */
  readonly identity: TlsIdentity | undefined;
  readonly target: AdminTarget;
}

/** Undefined when nobody has asked for it. */
export async function startNodeMetrics(options: NodeMetricsOptions): Promise<MetricsServer | undefined> {
  const { listen, identity, target } = options;
  if (listen === undefined) return undefined;
  const { host, port } = parseAddress(listen);
  if (identity === undefined && !isLoopback(host)) {
    const how = "give the node a certificate (--tls-cert, --tls-key, --tls-ca)";
    throw new UsageError(`${listen} is beyond this machine, where the token of /metrics must travel by TLS: ${how}.`);
  }
  const token = givenToken();
  if (token === undefined) {
    throw new UsageError("--metrics-listen is for scrapers that know the token: say one as SYNOD_ADMIN_TOKEN.");
  }
  const metrics = (): Promise<string> => metricsOf(target);
  const server = await startMetricsServer({ host, port, token, metrics, ...(identity && certificateOf(identity)) });
  identity?.onChanged(({ cert, key }) => server.renew({ cert, key }));
  return server;
}

function certificateOf({ material: { cert, key } }: TlsIdentity) {
  return { certificate: { cert, key } };
}
