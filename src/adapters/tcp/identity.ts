/**
 * Who a node is towards other machines: its certificate, its key, and the authority that it trusts, from files. They
 * are read again when they change, so that certificates are renewed without a restart; links that stand stay up, and
 * new ones are made with what the files say now.
 *
 * A certificate is for the nodes whose ids stand in it as DNS names (subjectAltName). What its address is does not
 * matter: a node is dialled by what the membership says, and has to be the one that was dialled.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** The certificates of the authorities by which all nodes of the system, and nobody else, are certified. */
  readonly ca: string;
}

/** How often the files are looked at. Longer than the files are worked on, shorter than any certificate's overlap. */
const lookIntervalMs = 2_000;

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly context: SecureContext;
}

export class TlsIdentity implements Disposable {
  readonly #files: TlsFiles;
  readonly #node: string;
  readonly #log: Log;
  readonly #changed: Set<(material: TlsMaterial) => void> = new Set();
  readonly #look: () => void;
  #material: TlsMaterial;

  /** Throws `failed_precondition` if a file cannot be read, they do not fit together, or are not for this node. */
  constructor(files: TlsFiles, node: string, log: Log) {
    this.#files = files;
    this.#node = node;
    this.#log = log;
    this.#material = read(files, node);
    this.#look = () => this.#readAgain();
    for (const file of pathsOf(files)) watchFile(file, { interval: lookIntervalMs, persistent: false }, this.#look);
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Called with what the files say, each time that it has changed. */
  onChanged(listener: (material: TlsMaterial) => void): void {
    this.#changed.add(listener);
  }

  [Symbol.dispose](): void {
    for (const file of pathsOf(this.#files)) unwatchFile(file, this.#look);
  }

  /** The files are not replaced at one instant: what does not fit together yet is looked at again with the next change. */
  #readAgain(): void {
    try {
      const material = read(this.#files, this.#node);
      const { cert, key, ca } = this.#material;
      if (material.cert === cert && material.key === key && material.ca === ca) return;
      this.#material = material;
      for (const listener of this.#changed) listener(material);
      this.#log.info("certificates read again", { cert: this.#files.cert, validTo: validTo(material.cert) });
    } catch (error) {
      this.#log.warn("the changed certificates cannot be used, the old ones stay in use", {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** The ids of the nodes that a certificate is for. */
export function nodesOf(certificate: { readonly subjectAltName?: string | undefined } | undefined): readonly string[] {
  const names = certificate?.subjectAltName?.split(", ") ?? [];
  return names.filter((name) => name.startsWith("DNS:")).map((name) => name.slice("DNS:".length));
}

function pathsOf({ cert, key, ca }: TlsFiles): readonly string[] {
  return [cert, key, ca];
}

function read(files: TlsFiles, node: string): TlsMaterial {
  const [cert, key, ca] = [readText(files.cert), readText(files.key), readText(files.ca)];
  let certificate: X509Certificate;
  let context: SecureContext;
  try {
    certificate = new X509Certificate(cert);
    context = createSecureContext({ cert, key, ca, minVersion: "TLSv1.3" });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refusal(`${files.cert}, ${files.key} and ${files.ca} do not make an identity: ${reason}`, cause);
  }
  const nodes = nodesOf(certificate);
  if (!nodes.includes(node)) {
    const names = nodes.length === 0 ? "no node" : nodes.join(" and ");
    throw refusal(`the certificate ${files.cert} is for ${names}, and this is ${node}: name it there as a DNS name`);
  }
  return { cert, key, ca, context };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw refusal(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function validTo(cert: string): string {
  return new X509Certificate(cert).validTo;
}

function refusal(message: string, cause?: unknown): SynodError {
  return new SynodError("failed_precondition", message, { cause });
}
