/**
 * Effect's cluster: persisted messages to entities, on PostgreSQL, in one runner inside the load's own process, so that
 * no hop is counted against it. Messages and replies are durable; the counter itself is in memory, as in the example
 * of its documentation.
 */
import { randomUUID } from "node:crypto";
import type { Run } from "../bench.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { startPostgres } from "../postgres.ts";
import { type Caller, measureDurable } from "./load.ts";

/** A value of Effect's own, with as many of its types as are needed here. */
interface Piece {
  annotate(annotation: unknown, value: unknown): Piece;
  pipe(...steps: ((piece: Piece) => Piece)[]): Piece;
}
interface CounterClient {
  Add(payload: { readonly by: number; readonly id: string }): Piece;
}
interface Effect {
  readonly Effect: { gen(body: () => Generator<unknown, unknown, unknown>): Piece };
  readonly Layer: { provide(layer: Piece): (to: Piece) => Piece; provideMerge(layer: Piece): (to: Piece) => Piece };
  readonly Logger: { layer(loggers: readonly unknown[]): Piece };
  readonly ManagedRuntime: {
    make(layer: Piece): { runPromise<Value>(effect: Piece): Promise<Value>; dispose(): Promise<void> };
  };
  readonly Redacted: { make(secret: string): unknown };
  readonly Ref: {
    make(value: number): Iterable<unknown>;
    updateAndGet(ref: unknown, step: (c: number) => number): Piece;
  };
  readonly Schema: Readonly<Record<"Int" | "String", unknown>>;
}
interface Cluster {
  readonly ClusterSchema: { readonly Persisted: unknown };
  readonly Entity: {
    make(
      name: string,
      operations: readonly Piece[],
    ): {
      readonly client: Piece;
      of(handlers: object): unknown;
      toLayer(handlers: Piece): Piece;
    };
  };
  readonly SingleRunner: { layer(options: object): Piece };
}

export const serve: Serve = async ({ folder }) => {
  const { url, close } = await startPostgres(folder);
  return { address: url, elsewhere: true, close };
};

export const run: Run = (options) => measureDurable(import.meta.url, connect, options);

async function connect(url: string): Promise<Caller> {
  const { Effect, Layer, Logger, ManagedRuntime, Redacted, Ref, Schema } = await peer<Effect>("effect");
  const { ClusterSchema, Entity, SingleRunner } = await peer<Cluster>("effect/cluster");
  const { Rpc } = await peer<{ Rpc: { make(name: string, options: object): Piece } }>("effect/rpc");
  const { Digest } = await peer<{ Digest: { layerWebCrypto: Piece } }>("effect/crypto");
  const { PgClient } = await peer<{ PgClient: { layer(options: object): Piece } }>("@effect/sql-pg");
  const Add = Rpc.make("Add", {
    payload: { by: Schema.Int, id: Schema.String },
    primaryKey: ({ id }: { id: string }) => id,
    success: Schema.Int,
  }).annotate(ClusterSchema.Persisted, true);
  const Counter = Entity.make("Counter", [Add]);
  const handlers = Effect.gen(function* () {
    const count = yield* Ref.make(0);
    const add = ({ payload }: { payload: { by: number } }): Piece => Ref.updateAndGet(count, (c) => c + payload.by);
    return Counter.of({ Add: add });
  });
  const layer = Counter.toLayer(handlers).pipe(
    Layer.provideMerge(SingleRunner.layer({})),
    Layer.provide(PgClient.layer({ url: Redacted.make(url) })),
    Layer.provide(Digest.layerWebCrypto),
    // It warns of its own end.
    Layer.provide(Logger.layer([])),
  );
  const runtime = ManagedRuntime.make(layer);
  const clientOf = await runtime.runPromise<(key: string) => CounterClient>(Counter.client);
  const add = (key: string): Promise<number> => runtime.runPromise(clientOf(key).Add({ by: 1, id: randomUUID() }));
  return { add, close: () => runtime.dispose() };
}
