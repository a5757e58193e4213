/**
 * Floors of sessions, in SQL. A floor and the removal of the records that it settles are one transaction: what
 * is gone is refused from then on. Ids of one session stand together in their order, so a floor is one range.
 */
import type { DatabaseSync } from "node:sqlite";
import type { SessionFloor, ShardId } from "../../ports/store.ts";
import { sessionRecordId, sessionRecordRange } from "../../values/ids.ts";

export interface Floors {
  raise(shard: ShardId, floor: SessionFloor): void;
  ofShard(shard: ShardId): readonly SessionFloor[];
  end(shard: ShardId, session: string): void;
}

export function floorsOf(database: DatabaseSync): Floors {
  const put = database.prepare(
    `INSERT INTO floors VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (service, shard, session) DO UPDATE SET floor = excluded.floor, open = excluded.open`,
  );
  // Ids of one session begin with as many characters; what follows them tells calls apart that share a number.
  const settle = database.prepare(
    `DELETE FROM records WHERE service = ? AND shard = ? AND id >= ? AND id < ? AND finished_at IS NULL
     AND substr(id, 1, length(?)) NOT IN (SELECT value FROM json_each(?))`,
  );
  const list = database.prepare("SELECT session, floor, open FROM floors WHERE service = ? AND shard = ?");
  const remove = database.prepare("DELETE FROM floors WHERE service = ? AND shard = ? AND session = ?");

  return {
    raise: ({ service, number }, { session, floor, open }) => {
      put.run(service, number, session, floor, JSON.stringify(open));
      const { from, to } = sessionRecordRange(session, floor);
      const openIds = JSON.stringify(open.map((one) => sessionRecordId(session, one)));
      settle.run(service, number, from, to, sessionRecordId(session, 0), openIds);
    },
    ofShard: ({ service, number }) => {
      const rows = list.all(service, number) as { session: string; floor: number; open: string }[];
      return rows.map(({ session, floor, open }) => ({ session, floor, open: JSON.parse(open) as number[] }));
    },
    end: ({ service, number }, session) => {
      const { from, to } = sessionRecordRange(session);
      settle.run(service, number, from, to, sessionRecordId(session, 0), "[]");
      remove.run(service, number, session);
    },
  };
}
