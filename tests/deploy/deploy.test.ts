/** What docs/deploy/ says holds together with the package: commands, environment, ports, paths, and how long a stop may take. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { ownPaths } from "../../src/adapters/http/routes.ts";
import { counterThat, project } from "../host/project.ts";
import { RunningNode } from "../host/running-node.ts";
import { bin, finished, post, root, synod, temporaryFolder, until } from "../host/running-system.ts";
import { faultsOf, type Manifest } from "./manifests.ts";

function read(file: string): string {
  return readFileSync(join(root, "docs/deploy", file), "utf8");
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly terminationGracePeriodSeconds: number; readonly containers: readonly Container[] };
}

const manifests = parseAllDocuments(read("kubernetes.yaml")).map((document): Manifest => {
  assert.deepEqual(document.errors, []);
  return document.toJS();
});
const template = manifests[0]!.spec.template as PodTemplate;
const container = template.spec.containers[0]!;

interface Composed {
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly stop_grace_period?: string;
}

const compose = parse(read("compose.yaml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Composed>>;
};
const composedNodes = Object.entries(compose.services).filter(([name]) => name.startsWith("node-"));

/** Instructions of the Dockerfile's last stage, as they stand. */
const instructions = new Map<string, string>();
for (const line of read("Dockerfile")
  .split(/^FROM /m)
  .at(-1)!
  .replaceAll("\\\n", "")
  .split("\n")) {
  const [, word, rest] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
  if (word !== undefined) instructions.set(word, rest!);
}
const entrypoint = JSON.parse(instructions.get("ENTRYPOINT")!) as string[];
const command = JSON.parse(instructions.get("CMD")!) as string[];
const healthcheck = JSON.parse(/\bCMD (\[.*\])$/.exec(instructions.get("HEALTHCHECK")!)![1]!) as string[];

test("the manifests are what Kubernetes' schemas want, and a misspelled member would be found", () => {
  const kinds = manifests.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["Deployment", "Service", "Service", "PodDisruptionBudget"]);
  for (const manifest of manifests) assert.deepEqual(faultsOf(manifest), []);
  const [deployment] = manifests;
  assert.match(
    faultsOf({ ...deployment!, spec: { ...deployment!.spec, replicas: "3" } })[0]!,
    /\/spec\/replicas: type \{"type":"integer"\}/,
  );
  const misspelled = { ...deployment!, spec: { ...deployment!.spec, minReadySecond: 5 } };
  assert.deepEqual(faultsOf(misspelled), ["apps/v1 Deployment has no member /spec/minReadySecond"]);
});

test("manifests, compose file and image speak of the same ports, paths and environment", async () => {
  using folder = temporaryFolder();
  const { stdout: help } = await synod(folder.path, ["node", "--help"]);
  const names = [
    ...container.env.map(({ name }) => name),
    ...composedNodes.flatMap(([, node]) => Object.keys(node.environment)),
  ];
  const ours = names.filter((name) => name.startsWith("SYNOD_"));
  assert.ok(ours.length > 20, "both say what nodes go by");
  for (const name of ours)
    assert.ok(help.replaceAll(/\s+/g, " ").includes(`env: ${name})`), `synod node knows no ${name}`);
  const ports = container.ports.map(({ containerPort }) => containerPort);
  assert.deepEqual(instructions.get("EXPOSE")!.split(" ").map(Number), ports);
  const [http, links] = ports;
  for (const [id, { environment, ports: published, volumes }] of composedNodes) {
    assert.deepEqual([environment.SYNOD_ID, environment.SYNOD_ADVERTISE], [id, `${id}:${links}`]);
    assert.equal(environment.SYNOD_LISTEN, `0.0.0.0:${links}`);
    assert.ok(published![0]!.endsWith(`:${http}`));
    const mounted = volumes.map((volume) => volume.split(":")[1]);
    for (const file of ["SYNOD_TLS_CERT", "SYNOD_TLS_KEY", "SYNOD_TLS_CA"])
      assert.ok(mounted.includes(environment[file]), file);
  }
  for (const probe of [container.startupProbe, container.livenessProbe])
    assert.equal(probe.httpGet.path, ownPaths.health);
  assert.equal(container.readinessProbe.httpGet.path, ownPaths.readiness);
  assert.match(healthcheck.at(-1)!, new RegExp(`SYNOD_PORT \\?\\? ${http}}${ownPaths.health}`));
  for (const { spec } of manifests.slice(1)) {
    const selector = (spec.selector as { matchLabels?: object }).matchLabels ?? spec.selector;
    assert.deepEqual(selector, template.metadata.labels);
  }
});

test("a stop may take as long as a drain does", () => {
  const drain = Number(container.env.find(({ name }) => name === "SYNOD_DRAIN_SECONDS")!.value);
  const pause = Number(container.lifecycle.preStop.exec.command[1]);
  assert.ok(template.spec.terminationGracePeriodSeconds >= drain + pause + 5);
  for (const [, { environment, stop_grace_period: grace }] of composedNodes)
    assert.ok(Number.parseInt(grace!, 10) >= Number(environment.SYNOD_DRAIN_SECONDS) + 5);
});

test("the image is of the Node that the package wants, runs as nobody special, and brings no keys", () => {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
  const bases = [...read("Dockerfile").matchAll(/^FROM node:(\d+)/gm)].map((match) => Number(match[1]));
  assert.deepEqual(bases, [24, 24]);
  assert.equal(engines.node, `>=${bases[0]}`);
  assert.equal(instructions.get("USER"), "node");
  const ignored = read("dockerignore").split("\n");
  for (const secret of ["certs", "*.pem", "*.backup", ".synod", "node_modules"])
    assert.ok(ignored.includes(secret), secret);
});

/** Answers when the test says so, by a file. */
const slow = counterThat(
  'const fs = await import("node:fs"); fs.writeFileSync("begun", ""); while (!fs.existsSync("go")) await new Promise((done) => setTimeout(done, 20)); return step;',
).replace(
  "http()",
  'http({ host: process.env.HTTP_HOST ?? "127.0.0.1", insecure: process.env.HTTP_HOST !== undefined })',
);

test("the image's words start a node that is healthy, and SIGTERM drains it: what came in is answered, exit code 0", async () => {
  using folder = project(slow);
  mkdirSync(join(folder.path, "node_modules/.bin"));
  symlinkSync(bin, join(folder.path, entrypoint[0]!));
  assert.ok(existsSync(join(folder.path, command[1]!)), "the file that CMD names");
  const environment = {
    SYNOD_STORE: "sqlite:store.db",
    SYNOD_LISTEN: "127.0.0.1:0",
    SYNOD_ID: "node-a",
    SYNOD_DRAIN_SECONDS: "30",
    SYNOD_LOG_FORMAT: "json",
    SYNOD_PORT: String(await freePort()),
    HTTP_HOST: "127.0.0.1",
  };
  const healthy = async (): Promise<number | null> => {
    const [, ...words] = healthcheck;
    const child = spawn(process.execPath, words, { cwd: folder.path, env: { ...process.env, ...environment } });
    return (await finished(child)).code;
  };
  assert.equal(await healthy(), 1, "nobody is there yet");
  await using node = new RunningNode({ folder: folder.path, words: command, environment });
  await until("the node is ready", () => node.said.includes("node-a is ready"), 20_000);
  const url = `http://127.0.0.1:${environment.SYNOD_PORT}`;
  assert.equal(await healthy(), 0);
  for (const path of [ownPaths.health, ownPaths.readiness]) assert.equal((await fetch(`${url}${path}`)).status, 200);
  const answer = post(url, "/counter/a/add", 7);
  await until("the call is being handled", () => existsSync(join(folder.path, "begun")));
  node.signal("SIGTERM");
  await until(
    "the node takes no more calls",
    async () =>
      !(await fetch(`${url}${ownPaths.readiness}`).then(
        ({ ok }) => ok,
        () => false,
      )),
  );
  writeFileSync(join(folder.path, "go"), "");
  assert.deepEqual(await answer, { status: 200, body: 7 });
  assert.equal((await node.ended).code, 0);
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
