/**
 * One address for clients in front of several hosts, as a load balancer is: it asks every host whether it is ready, hands
 * connections to those that are, one after the other, and cuts those to a host that is not ready any more or has fallen silent.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

const lookIntervalMs = 200;
const lookMaxMs = 500;

interface Behind {
  readonly address: string;
  readonly port: number;
  ready: boolean;
  readonly cuts: Set<() => void>;
}

export class FrontDoor implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #hosts: readonly Behind[];
  readonly #timer: NodeJS.Timeout;
  #next = 0;

  private constructor(server: Server, hosts: readonly Behind[]) {
    this.#server = server;
    this.#hosts = hosts;
    this.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on("connection", (socket) => this.#pass(socket));
    this.#timer = setInterval(() => void this.look(), lookIntervalMs);
  }

  static async open(addresses: readonly string[], port: number): Promise<FrontDoor> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const hosts = addresses.map((address): Behind => ({ address, port, ready: false, cuts: new Set() }));
    const door = new FrontDoor(server, hosts);
    await door.look();
    return door;
  }

  /** How many hosts clients are led to. */
  get readyLength(): number {
    return this.#hosts.filter(({ ready }) => ready).length;
  }

  /** Asks every host. */
  async look(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => this.#lookAt(host)));
  }

  async #lookAt(host: Behind): Promise<void> {
    const url = `http://${host.address}:${host.port}/readyz`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(lookMaxMs) }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    host.ready = answer?.status === 200;
    if (!host.ready) for (const cut of [...host.cuts]) cut();
  }

  #pass(client: Socket): void {
    client.on("error", () => {});
    const ready = this.#hosts.filter((host) => host.ready);
    const host = ready[this.#next++ % ready.length];
    if (host === undefined) return void client.destroy();
    const behind = connect(host.port, host.address);
    const cut = (): void => {
      host.cuts.delete(cut);
      client.destroy();
      behind.destroy();
    };
    host.cuts.add(cut);
    behind.on("error", cut).on("close", cut);
    client.on("close", cut);
    client.pipe(behind).pipe(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const { cuts } of this.#hosts) for (const cut of [...cuts]) cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
