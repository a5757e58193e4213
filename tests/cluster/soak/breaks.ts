/**
 * Defects that are put into the processes of a soak, one at a time, to show that it fails when a guarantee is gone. Those
 * of the runtime are the simulator's own; those of the store are changes to its source text while it is loaded, and
 * one that does not find its place ends the process.
 */
import { registerHooks } from "node:module";

const changes = "src/adapters/sqlite/changes.ts";

export interface Break {
  /** Kinds of faults among which it shows; which ones strike when remains the seed's business. */
  readonly faults: readonly string[];
  /** Called before anything of the runtime is loaded; loads nothing of it before its texts are changed. */
  readonly install: () => void | Promise<void>;
}

export const breaks: Readonly<Record<string, Break>> = {
  /** Whoever was the owner once may write. What else would stop it, its ended lease and the version, does not either. */
  "no-epoch-check": {
    faults: ["SIGSTOP behind a lock"],
    install: () =>
      inText(changes, [
        ["return row !== undefined && row.owner === incarnation && row.epoch === epoch;", "return row !== undefined;"],
        ['if (!leases.count(batch.incarnation)) return { status: "ended" };', "leases.count(batch.incarnation);"],
        ...anyVersion,
      ]),
  },
  /**
   * With the epoch checked, only an activation that should not be there can be stale. So now and then a commit's
   * answer is taken for lost while it is on its way, and the shard is not claimed again before its entities are loaded.
   */
  "no-version-check": {
    faults: ["kill -9", "links cut"],
    install: () => {
      inText(changes, anyVersion);
      inText("src/runtime/committer.ts", [
        [
          "result = await store.commit(batch);",
          'const answer = store.commit(batch); result = Math.random() < 0.02 ? { status: "unknown" } : await answer;',
        ],
      ]);
      return installMutation("no-version-check");
    },
  },
  "no-deduplication-record": {
    faults: ["kill -9", "SIGSTOP for 10 s", "clients cut"],
    install: () =>
      inText(changes, [["for (const given of entity.records) {", "for (const given of entity.records.slice(0, 0)) {"]]),
  },
  "reply-before-durable": { faults: ["kill -9"], install: () => installMutation("reply-before-durable") },
  "no-lease-check": { faults: ["SIGSTOP for 10 s"], install: () => installMutation("no-lease-check") },
};

/** Any version will do: that of the row is replaced by the one after it. */
const anyVersion: readonly (readonly [string, string])[] = [
  [
    "return ({ service, number }, { key, expectedVersion, version: after, stateVersion, state }) => {",
    `return ({ service, number }, given) => {
    const { key, stateVersion, state } = given;
    const expectedVersion = (version.get(service, number, key) as { version: number } | undefined)?.version ?? 0;
    const after = state === null ? (given.version === 0 ? 0 : expectedVersion) : Math.max(given.version, expectedVersion + 1);`,
  ],
  ["isCurrent = addRecord(shard, record) && isCurrent;", "addRecord(shard, record);"],
];

async function installMutation(name: string): Promise<void> {
  const { mutations } = await import("../../../src/simulation/mutations.ts");
  const mutation = mutations.find((each) => each.name === name);
  if (mutation?.install === undefined) throw new Error(`the simulator has no defect ${name} of the runtime`);
  mutation.install();
}

/** Changes the text of a source file while it is loaded; what is replaced must stand in it once. */
function inText(file: string, replacements: readonly (readonly [string, string])[]): void {
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      if (!url.endsWith(file)) return loaded;
      let source = Buffer.from(loaded.source as Uint8Array).toString("utf8");
      for (const [before, after] of replacements) {
        if (source.split(before).length !== 2) throw new Error(`${file} does not contain once: ${before}`);
        source = source.replace(before, () => after);
      }
      return { ...loaded, source };
    },
  });
}
