/** Where the adapter listens: by its options, by the environment, with TLS, and nowhere that is not meant. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { request } from "node:https";
import { createServer, type Server } from "node:net";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { SynodError } from "../../errors.ts";
import { connectRaw, send, startHttp } from "./fixture.test.ts";
import { type HttpOptions, http } from "./index.ts";
import { isLoopback } from "./listen.ts";

function refusal(code: string, sentence: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, sentence);
    return true;
  };
}

/** Starts where it must not start; should it start all the same, it is closed, and the test fails. */
async function startAndClose(...options: Parameters<typeof startHttp>): Promise<void> {
  const server = await startHttp(...options);
  await server.adapter.close();
}

describe("http()", () => {
  test("says where it wants to listen, by default on loopback, before it is started", () => {
    assert.deepEqual(http().address, { host: "127.0.0.1", port: 8080 });
    assert.deepEqual(http({ host: "::1", port: 0 }).address, { host: "::1", port: 0 });
    assert.equal(http().name, "http");
  });

  test("refuses options that cannot be meant, when the system file is loaded", () => {
    const refuses = (options: unknown, sentence: RegExp) =>
      assert.throws(() => http(options as HttpOptions), refusal("invalid_argument", sentence));
    for (const port of [-1, 65_536, 1.5, Number.NaN, "8080"]) refuses({ port }, /port is .*from 0 to 65535/);
    refuses({ host: "" }, /host is/);
    for (const bodyBytesMax of [0, -1, 1.5, Number.POSITIVE_INFINITY])
      refuses({ limits: { bodyBytesMax } }, /bodyBytesMax/);
    refuses({ limits: { bodyLimit: 1 } }, /no such limit/);
    refuses({ limits: { headersTimeoutMs: 2, requestTimeoutMs: 1 } }, /no longer than/);
  });
});

describe("listening", () => {
  test("on an address that the environment names comes before the adapter's own", async () => {
    await using server = await startHttp({ port: 1 }, undefined, { host: "localhost", port: 0 });
    assert.match(server.adapter.url, /^http:\/\/localhost:\d+$/);
    assert.equal((await fetch(`${server.adapter.url}/healthz`)).status, 200);
  });

  test("on a handle that somebody else bound answers there, under the URL that came with it", async () => {
    const holder = createServer().listen(0, "127.0.0.1") as Server & { _handle: object };
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const url = `http://127.0.0.1:${port}`;
    await using server = await startHttp({}, undefined, { handle: holder._handle, url });
    assert.equal(server.adapter.url, url);
    assert.equal((await send(server, "GET", "/account/a/balance")).status, 200);
  });

  test("on a port in use fails with a sentence that names it, and leaves nothing open", async () => {
    await using first = await startHttp();
    const second = startAndClose({ port: first.port });
    await assert.rejects(
      second,
      refusal("failed_precondition", new RegExp(`127.0.0.1:${first.port}: the port is in use`)),
    );
    assert.equal((await send(first, "GET", "/healthz")).status, 200);
  });

  test("beyond loopback is refused without TLS, wherever the address comes from, unless it is said to be meant", async () => {
    const beyond = refusal(
      "failed_precondition",
      /beyond this machine, without TLS.*tls: \{ cert, key \}.*insecure: true/,
    );
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "bank.example"]) {
      await assert.rejects(startAndClose({ host }), beyond);
      await assert.rejects(startAndClose({}, undefined, { host, port: 0 }), beyond);
      const url = `http://${host.includes(":") ? `[${host}]` : host}:8080`;
      await assert.rejects(startAndClose({}, undefined, { handle: {}, url }), beyond);
    }
    await using server = await startHttp({ host: "0.0.0.0", insecure: true });
    assert.equal((await send(server, "GET", "/healthz")).status, 200);
  });

  test("on an address that the machine does not have fails with a sentence", async () => {
    const absent = startAndClose({ host: "192.0.2.1", insecure: true });
    await assert.rejects(absent, refusal("invalid_argument", /no such address/));
  });

  test("knows loopback from the rest", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"])
      assert.ok(isLoopback(host), host);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "localhost.example", "::2", ""])
      assert.ok(!isLoopback(host), host);
  });
});

describe("TLS", () => {
  const tls = selfSigned("localhost");

  test("serves, with an https URL, and counts as closed enough to listen anywhere", async () => {
    await using server = await startHttp({ tls, host: "0.0.0.0" });
    assert.match(server.adapter.url, /^https:\/\/0\.0\.0\.0:\d+$/);
    assert.equal(await statusOverTls(server.port), 200);
    await server.adapter.drain();
  });

  test("drains idle connections, and a close cuts those that never finish their handshake", async () => {
    await using server = await startHttp({ tls, limits: { drainGraceMs: 20 } });
    const secured = connectTls({ port: server.port, host: "127.0.0.1", ca: tls.cert, servername: "localhost" });
    await once(secured, "secureConnect");
    const closed = once(secured.resume(), "close");
    using stuck = await connectRaw(server, "\x16\x03\x01");
    const drained = server.adapter.drain();
    await closed;
    await server.adapter.close();
    await drained;
    assert.equal(await stuck.closed, "");
  });

  test("that cannot be used is told when the node starts", async () => {
    const broken = startAndClose({ tls: { cert: "no certificate", key: "no key" } });
    await assert.rejects(broken, refusal("invalid_argument", /certificate or key in tls cannot be used/));
  });

  async function statusOverTls(port: number): Promise<number> {
    const call = request({
      port,
      host: "127.0.0.1",
      path: "/account/a/balance",
      ca: tls.cert,
      servername: "localhost",
    });
    const [response] = await once(call.end(), "response");
    response.resume();
    return response.statusCode;
  }
});

/** A certificate that signs itself, with a fresh key: X.509 version 1 (RFC 5280, section 4.1), written by hand. */
function selfSigned(name: string): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const der = (tag: number, ...contents: Uint8Array[]): Buffer => {
    const content = Buffer.concat(contents);
    const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...length]), content]);
  };
  const sequence = (...contents: Uint8Array[]) => der(0x30, ...contents);
  const algorithm = sequence(der(0x06, Buffer.from([0x2b, 0x65, 0x70])));
  const commonName = sequence(der(0x06, Buffer.from([0x55, 0x04, 0x03])), der(0x0c, Buffer.from(name)));
  const subject = sequence(der(0x31, commonName));
  const validity = sequence(der(0x17, Buffer.from("200101000000Z")), der(0x17, Buffer.from("491231235959Z")));
  const keyInfo = publicKey.export({ type: "spki", format: "der" });
  const body = sequence(der(0x02, Buffer.from([1])), algorithm, subject, validity, subject, keyInfo);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), sign(null, body, privateKey)));
  const pem = certificate.toString("base64").replace(/(.{64})/g, "$1\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}
