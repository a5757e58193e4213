/** Links between machines: certificates on both sides, held to the node that they are for, and renewed in place. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TlsIdentity } from "../../src/adapters/tcp/identity.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import { tlsNetwork } from "../../src/adapters/tcp/tls-network.ts";
import { makeCertificates } from "../../src/host/certificates.ts";
import type { Log } from "../../src/ports/log.ts";
import { startNode, type TestNode, until } from "./nodes.ts";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const folder = mkdtempSync(join(tmpdir(), "synod-tls-"));
const own = join(folder, "own");
const other = join(folder, "other");
const identities: TlsIdentity[] = [];

before(async () => {
  await makeCertificates({ folder: own, system: "bank", nodes: ["a", "b"], days: 1 });
  await makeCertificates({ folder: other, system: "bank", nodes: ["a"], days: 1 });
});
after(() => {
  for (const identity of identities) identity[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function filesOf(authority: string, node: string) {
  return {
    cert: join(authority, `${node}.pem`),
    key: join(authority, `${node}-key.pem`),
    ca: join(authority, "ca.pem"),
  };
}

function identityOf(node: string, authority: string = own, log: Log = silent): TlsIdentity {
  const identity = new TlsIdentity(filesOf(authority, node), node, log);
  identities.push(identity);
  return identity;
}

/** How often a link that was dialled has come to nothing or to an end. */
function failuresOf(dialler: TestNode, to: TestNode): number {
  return Object.values(dialler.dialled(to).causes).reduce((sum, count) => sum + count, 0);
}

test("two nodes with certificates of one authority call each other", async () => {
  await using b = await startNode("b", 2, { network: tlsNetwork(identityOf("b")) });
  await using a = await startNode("a", 1, { network: tlsNetwork(identityOf("a")) });
  a.links.connectTo([b.member]);
  await until(() => a.dialled(b).phase === "open", "the link is open");
  assert.deepEqual(await a.call(b, { input: "7" }), { kind: "ok", output: "7", replayed: false });
});

test("a node is refused under any other id than that of its certificate, dialling and dialled", async () => {
  await using b = await startNode("b", 2, { network: tlsNetwork(identityOf("b")) });
  await using impostor = await startNode("c", 3, { network: tlsNetwork(identityOf("a")) });
  impostor.links.connectTo([b.member]);
  await until(() => (impostor.dialled(b).causes["wrong-node"] ?? 0) > 0, "the impostor is told");
  b.links.connectTo([impostor.member]);
  await until(() => (b.dialled(impostor).causes["wrong-node"] ?? 0) > 0, "the impostor is not called");
  assert.deepEqual([b.calls.length, impostor.calls.length], [0, 0]);
});

test("neither another authority's certificate nor none at all gets as far as a hello", async () => {
  await using b = await startNode("b", 2, { network: tlsNetwork(identityOf("b")) });
  await using stranger = await startNode("a", 1, { network: tlsNetwork(identityOf("a", other)) });
  await using plain = await startNode("d", 4, { network: tcpNetwork() });
  for (const dialler of [stranger, plain]) {
    dialler.links.connectTo([b.member]);
    await until(() => failuresOf(dialler, b) > 0, "it is turned away");
    assert.notEqual(dialler.dialled(b).phase, "open");
  }
  assert.deepEqual(b.links.statistics(), []);
  assert.equal(b.calls.length, 0);
});

test("a certificate for another node, or a key that does not fit, is refused at the start with the file's name", () => {
  assert.throws(() => identityOf("c"), /c\.pem cannot be read/);
  assert.throws(
    () => new TlsIdentity(filesOf(own, "a"), "b", silent),
    /the certificate .*a\.pem is for a, and this is b/,
  );
  const mixed = { ...filesOf(own, "a"), key: join(own, "b-key.pem") };
  assert.throws(() => new TlsIdentity(mixed, "a", silent), /do not make an identity/);
});

test("renewed files are used without a restart, and half of a renewal changes nothing", async () => {
  const renewed = join(folder, "renewed");
  const next = join(folder, "next");
  await makeCertificates({ folder: renewed, system: "bank", nodes: ["a"], days: 1 });
  await makeCertificates({ folder: next, system: "bank", nodes: ["a", "b"], days: 1 });
  const warnings: string[] = [];
  const a = identityOf("a", renewed, { ...silent, warn: (message) => warnings.push(message) });
  const before = a.material;
  await using node = await startNode("a", 1, { network: tlsNetwork(a) });
  await using b = await startNode("b", 2, { network: tlsNetwork(identityOf("b", next)) });
  b.links.connectTo([node.member]);
  await until(() => failuresOf(b, node) > 0, "they do not know each other's authority");
  copyFileSync(join(next, "a-key.pem"), join(renewed, "a-key.pem"));
  await until(() => warnings.length > 0, "the key that does not fit yet is noticed");
  assert.equal(a.material, before);
  for (const file of ["a.pem", "ca.pem"]) copyFileSync(join(next, file), join(renewed, file));
  await until(() => b.dialled(node).phase === "open", "the node is known by its new certificate");
});
