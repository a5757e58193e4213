/**
 * A certificate authority of one's own and certificates for nodes, for development and for systems whose operators have
 * no authority yet. Nothing in a running node depends on it: nodes read PEM files, whoever made them.
 */
import { randomBytes, type webcrypto } from "node:crypto";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SynodError } from "../errors.ts";

type X509 = typeof import("@peculiar/x509");
type KeyPair = webcrypto.CryptoKeyPair;

export interface CertificatesOptions {
  /** Where the files go; made if it is not there. An authority that is there already is used. */
  readonly folder: string;
  /** Whose authority it is, if it has to be made. */
  readonly system: string;
  /** Ids of the nodes; files that are there are replaced. */
  readonly nodes: readonly string[];
  /** How long the nodes' certificates hold, in days. The authority's holds ten times as long. */
  readonly days: number;
}

export interface MadeCertificates {
  readonly ca: string;
  /** False: it was there. */
  readonly caMade: boolean;
  readonly nodes: readonly { readonly node: string; readonly cert: string; readonly key: string }[];
}

const dayMs = 86_400_000;
/** A machine whose clock is this far behind takes a new certificate at once, ms. */
const clockLeewayMs = 300_000;
const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;
/** Only whoever runs the node reads its key. */
const keyMode = 0o600;

/** Makes the files `ca.pem` and `ca-key.pem`, and `NODE.pem` and `NODE-key.pem` for each node. */
export async function makeCertificates(options: CertificatesOptions): Promise<MadeCertificates> {
  const x509 = await loadLibrary();
  x509.cryptoProvider.set(globalThis.crypto);
  await mkdir(options.folder, { recursive: true });
  const authority = await authorityIn(x509, options);
  const nodes: MadeCertificates["nodes"][number][] = [];
  for (const node of options.nodes) nodes.push(await makeNode(x509, authority, node, options));
  return { ca: authority.file, caMade: authority.made, nodes };
}

async function loadLibrary(): Promise<X509> {
  try {
    // The library's own container asks for this before it is loaded.
    await import("reflect-metadata");
    return await import("@peculiar/x509");
  } catch (cause) {
    const message =
      "certificates are made with a library: `npm install --save-dev @peculiar/x509 reflect-metadata`, then again";
    throw new SynodError("failed_precondition", message, { cause });
  }
}

interface Authority {
  readonly file: string;
  readonly made: boolean;
  readonly certificate: InstanceType<X509["X509Certificate"]>;
  readonly key: webcrypto.CryptoKey;
}

async function authorityIn(x509: X509, { folder, system, days }: CertificatesOptions): Promise<Authority> {
  const [file, keyFile] = [join(folder, "ca.pem"), join(folder, "ca-key.pem")];
  const [hasCertificate, hasKey] = [await isThere(file), await isThere(keyFile)];
  // Nodes take a new ca.pem over as they run: one in the place of the other would part them.
  if (hasCertificate && !hasKey) throw halfMissing(`${file} is there, its key ca-key.pem is not`);
  if (hasKey && !hasCertificate) throw halfMissing(`${keyFile} is there, its certificate ca.pem is not`);
  if (hasKey) {
    const certificate = new x509.X509Certificate(await readFile(file, "utf8"));
    return { file, made: false, certificate, key: await readKey(x509, keyFile) };
  }
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(days * 10),
    serialNumber: serialNumber(),
    name: `CN=Synod authority of ${system}`,
    keys,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // The key first: a certificate without it would be an authority that can make nothing.
  await writeKey(x509, keyFile, keys, "wx");
  await writeFile(file, certificate.toString("pem"), { flag: "wx" });
  return { file, made: true, certificate, key: keys.privateKey };
}

function halfMissing(what: string): SynodError {
  return new SynodError("failed_precondition", `${what}: put it there, or choose another folder`);
}

async function makeNode(
  x509: X509,
  authority: Authority,
  node: string,
  { folder, days }: CertificatesOptions,
): Promise<MadeCertificates["nodes"][number]> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(days),
    serialNumber: serialNumber(),
    subject: `CN=${node}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // A node dials and is dialled.
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: node }]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  const [cert, key] = [join(folder, `${node}.pem`), join(folder, `${node}-key.pem`)];
  await writeKey(x509, key, keys);
  await writeFile(cert, certificate.toString("pem"));
  return { node, cert, key };
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - clockLeewayMs), notAfter: new Date(now + days * dayMs) };
}

/** Positive, and with more random bits than RFC 5280 asks for. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}

async function newKeys(): Promise<KeyPair> {
  return (await globalThis.crypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"])) as KeyPair;
}

async function writeKey(x509: X509, file: string, { privateKey }: KeyPair, flag: "w" | "wx" = "w"): Promise<void> {
  const der = await globalThis.crypto.subtle.exportKey("pkcs8", privateKey);
  await writeFile(file, x509.PemConverter.encode(der, "PRIVATE KEY"), { mode: keyMode, flag });
}

async function readKey(x509: X509, file: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(await readFile(file, "utf8"));
  if (der === undefined) throw new SynodError("failed_precondition", `${file} is not a key in PEM`);
  return await globalThis.crypto.subtle.importKey("pkcs8", der, keyAlgorithm, false, ["sign"]);
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
