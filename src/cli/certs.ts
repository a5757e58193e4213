/** `synod certs`: an authority and certificates for the links between machines. */
import { makeCertificates } from "../host/certificates.ts";
import { isName } from "../values/ids.ts";
import { exitCodes, UsageError } from "./exit.ts";

export interface CertsOptions {
  readonly nodes: string;
  readonly system: string;
  readonly days: number;
  readonly json: boolean;
}

export async function certs(folder: string, { nodes, system, days, json }: CertsOptions): Promise<number> {
  const ids = nodes.split(",").map((id) => id.trim());
  const wrong = ids.find((id) => !isName(id));
  if (wrong !== undefined) throw new UsageError(`${wrong} cannot name a node: use letters, digits, - and _.`);
  const made = await makeCertificates({ folder, system, nodes: ids, days });
  if (json) {
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return exitCodes.done;
  }
  const authority = made.caMade ? "New authority" : "Authority that was there";
  const lines = made.nodes.map(
    ({ node, cert, key }) => `${node}: --tls-cert ${cert} --tls-key ${key} --tls-ca ${made.ca}`,
  );
  const warning = "Each node gets its own two files and ca.pem, nothing else: whoever has ca-key.pem can be any node.";
  process.stdout.write(`${authority}: ${made.ca}\n${lines.join("\n")}\n${warning}\n`);
  return exitCodes.done;
}
