/** The network conformance suite on every adapter, and what only TCP has. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { memoryNetwork } from "../../src/adapters/memory/network.ts";
import { TlsIdentity } from "../../src/adapters/tcp/identity.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import { tlsNetwork } from "../../src/adapters/tcp/tls-network.ts";
import { networkConformance } from "../../src/conformance/network.ts";
import { SynodError } from "../../src/errors.ts";
import { makeCertificates } from "../../src/host/certificates.ts";
import type { Log } from "../../src/ports/log.ts";

networkConformance({ name: "memory", address: "127.0.0.1:0", open: () => memoryNetwork() });
networkConformance({ name: "tcp", address: "127.0.0.1:0", open: tcpNetwork });
networkConformance({ name: "tcp over IPv6", address: "[::1]:0", open: tcpNetwork });

const quietLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const folder = mkdtempSync(join(tmpdir(), "synod-tls-"));
const { ca, nodes } = await makeCertificates({ folder, system: "test", nodes: ["node-1"], days: 1 });
const identity = new TlsIdentity({ ca, ...nodes[0]! }, "node-1", quietLog);
after(() => {
  identity[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
networkConformance({
  name: "tls",
  address: "127.0.0.1:0",
  open: () => tlsNetwork(identity),
  cutLooksLikeEnd: "a socket under a TLS session cannot be reset",
});

const refuses = (code: string) => (error: unknown) => error instanceof SynodError && error.code === code;

test("without TLS, TCP neither listens nor connects beyond loopback", async () => {
  const network = tcpNetwork();
  for (const address of ["0.0.0.0:0", "[::]:0", "192.0.2.1:7000", "example.org:7000", "127.0.0.1.example.org:7000"]) {
    await assert.rejects(
      network.listen(address, () => {}),
      refuses("failed_precondition"),
      address,
    );
    await assert.rejects(network.connect(address, 1_000), refuses("failed_precondition"), address);
  }
});

test("TCP says what is not an address", async () => {
  for (const address of ["", "127.0.0.1", "127.0.0.1:", ":7000", "127.0.0.1:65536", "127.0.0.1:7000x", "::1:7000"]) {
    await assert.rejects(tcpNetwork().connect(address, 1_000), refuses("invalid_argument"), address);
  }
});

test("localhost is this machine, whatever a resolver says", async () => {
  const listener = await tcpNetwork().listen("localhost:0", () => {});
  assert.match(listener.address, /^127\.0\.0\.1:\d+$/);
  await listener.close();
});
