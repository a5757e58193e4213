import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { besideStore, openStore, parseStoreUrl, storeName, storeUrl } from "./store-location.ts";

test("without a URL the store is a file of the system's name in .synod", () => {
  assert.deepEqual(parseStoreUrl(undefined, "bank"), { kind: "sqlite", path: resolve(".synod/bank.db") });
});

test("a store URL is read and written back", () => {
  for (const url of ["memory:", "sqlite:/var/lib/bank.db"]) assert.equal(storeUrl(parseStoreUrl(url, "bank")), url);
  assert.deepEqual(parseStoreUrl("sqlite:x.db", "bank"), { kind: "sqlite", path: resolve("x.db") });
});

test("what is no store URL is refused in one sentence", () => {
  assert.throws(() => parseStoreUrl("sqlite:", "bank"), /names no file: write sqlite:PATH/);
  for (const url of ["bank.db", "", "memory:x", "mysql://x"]) {
    assert.throws(() => parseStoreUrl(url, "bank"), /is no store URL: write sqlite:PATH/);
  }
  assert.throws(() => parseStoreUrl("bank.db", "bank"), /"bank.db" is no store URL/);
});

test("a URL that is none is told without the password that may be in it", () => {
  for (const [url, words] of [
    ["postgre://bank:s3cret@db/bank", /"postgre:…" is no store URL/],
    ["mysql://bank:s3@cret@db/bank", /"mysql:…" is no store URL/],
    ["jdbc:postgresql://db/bank?user=bank&password=s3cret", /"jdbc:…" is no store URL/],
    ["bank:s3cret@db:5432/bank", /"bank:…" is no store URL/],
    ["postgres//bank:s3cret@db/bank", /What was given is no store URL/],
    ["postgres://bank:8/s3@db/bank", /has an @ after a \/: in a user or a password \/ is %2F/],
    ["postgres://bank:s3/cret@db/bank", /has an @ after a \//],
    ["postgres://bank:s3#cret@db/bank", /is no URL of PostgreSQL/],
  ] as const) {
    assert.throws(
      () => parseStoreUrl(url, "bank"),
      (error) => {
        assert.match(String(error), words);
        return !String(error).includes("s3");
      },
    );
  }
});

test("the user of a store ends at the last @, and an @ before it belongs to the password", () => {
  const location = parseStoreUrl("postgres://bank:p@s3@db1,db2/bank", "bank");
  assert.equal(storeName(location), "postgres://db1,db2/bank");
  assert.ok(location.kind === "postgres");
  for (const server of location.servers) assert.equal(decodeURIComponent(new URL(server).password), "p@s3");
});

test("the password of a store is for those who open it, and for nobody who reads its name", () => {
  const url = "postgres://synod:se%2Fcret@db1,db2:5433/shop?sslmode=require&schema=bank";
  const location = parseStoreUrl(url, "bank");
  assert.equal(storeUrl(location), url);
  assert.equal(storeName(location), "postgres://db1,db2:5433/shop");
  assert.equal(besideStore(location, "bank"), resolve(".synod/bank"));
  assert.equal(
    besideStore(parseStoreUrl("postgresql://localhost/x", "my-bank"), "my-bank"),
    resolve(".synod/synod_my_bank"),
  );
});

test("the supervisor's files lie beside the store and carry its name", () => {
  assert.equal(besideStore({ kind: "sqlite", path: "/data/bank.db" }, "x"), "/data/bank");
  assert.equal(besideStore({ kind: "sqlite", path: "/data/bank.sqlite" }, "x"), "/data/bank");
  assert.equal(besideStore({ kind: "sqlite", path: "/data/bank" }, "x"), "/data/bank");
  assert.equal(besideStore({ kind: "memory" }, "bank"), resolve(".synod/bank"));
});

test("each memory store that is opened is a new one", async () => {
  const [one, two] = [await openStore({ kind: "memory" }, "bank"), await openStore({ kind: "memory" }, "bank")];
  assert.equal(one.identity.system, "bank");
  assert.notDeepEqual(one.identity.secret, two.identity.secret);
  await one.close();
  await two.close();
});
