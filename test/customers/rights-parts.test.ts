import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fixedClock, openStore, openStoreKey } from "../../src/base/index.ts";
import {
  addTombstones,
  countTombstones,
  createCollector,
  importFile,
  openTombstones,
  parseMapping,
} from "../../src/collection/index.ts";
import { rectifyPerson, resolveCustomers } from "../../src/customers/index.ts";
import { createMatcher } from "../../src/customers/rights/person-matcher.ts";
import { historyRows } from "../support/live.ts";
import { jan } from "../support/planted.ts";
import { withStore } from "../support/temporary.ts";

const MATCHER = createMatcher([
  { type: "user_id", value: "12" },
  { type: "email", value: "jan@voorbeeld.nl" },
  { type: "phone", value: "+31612345678" },
]);

describe("finding a person in others' text", () => {
  it("knows e-mail addresses and telephone numbers as people write them", () => {
    const spellings = [
      "Jan@Voorbeeld.NL",
      " mailto:jan@voorbeeld.nl ",
      "ask jan@voorbeeld.nl.",
      "06-12345678",
      "06 1234 5678",
      "0031612345678",
      "call +31 (6) 12345678 at noon",
    ];
    for (const text of spellings) {
      expect(MATCHER.isIn(JSON.stringify({ note: text })), text).to.equal(true);
    }
  });

  it("takes nobody else for them, and a short id for one only where ids stand", () => {
    const others = ["nojan@voorbeeld.nl", "jan@voorbeeld.nl.org", "0612345679", "12", "12 pieces"];
    for (const text of others) {
      expect(MATCHER.isIn(JSON.stringify({ note: text, quantity: 12 })), text).to.equal(false);
    }
    expect(MATCHER.isIn('{"userId":"12"}')).to.equal(true);
    expect(MATCHER.isIn('{"customer_no":12}')).to.equal(true);
    expect(MATCHER.isIn("7,jan@voorbeeld.nl,")).to.equal(true);
  });

  it("leaves nothing of an address in any JSON, and JSON without it as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isNamed) => {
        const json = JSON.stringify(isNamed ? { value, at: ["x jan@voorbeeld.nl y"] } : { value });
        const redacted = MATCHER.redact(json);
        if (isNamed) {
          expect(redacted).to.not.include("jan@voorbeeld.nl");
          expect(MATCHER.redact(redacted ?? "")).to.equal(redacted);
        } else if (!MATCHER.isIn(json)) {
          expect(redacted).to.equal(json);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("the store's key", () => {
  it("is the same for whoever opens the store, and keeps what it locks", async () => {
    await withStore(async (store) => {
      const key = openStoreKey(store);
      const other = await openStore(store.folder);
      const again = openStoreKey(other);
      other.close();
      expect(again.id).to.equal(key.id);
      expect(again.hash("user_id:12")).to.equal(key.hash("user_id:12"));
      const locked = key.lock("jan@voorbeeld.nl");
      expect(locked.includes("jan@")).to.equal(false);
      expect(again.unlock(locked)).to.equal("jan@voorbeeld.nl");
      locked[locked.length - 1] = (locked.at(-1) ?? 0) ^ 1;
      expect(() => again.unlock(locked)).to.throw();
    });
  });
});

describe("tombstones", () => {
  it("are seen by a collector that runs in another process from the moment they are there", async () => {
    await withStore(async (store) => {
      const clock = fixedClock("2024-07-01T00:00:00Z");
      const collector = createCollector(store, clock);
      const status = async (messageId: string): Promise<string | undefined> => {
        const call = { type: "track", userId: jan.value, event: "x", messageId };
        const [result] = await collector.collect({ source: "webshop", calls: [call] });
        return result?.status;
      };
      expect(await status("1")).to.equal("accepted");
      const other = await openStore(store.folder);
      other.sqlite.exec("INSERT INTO erasure VALUES ('e', 0, x'00', NULL, NULL, NULL)");
      addTombstones(other, [jan], 0, "e");
      other.close();
      expect(await status("2")).to.equal("rejected");
      expect(countTombstones(store)).to.deep.equal({ user_id: 1 });
      // The type is part of the hash: another's visitor of the same text is somebody else.
      expect(openTombstones(store).has("anonymous_id", jan.value)).to.equal(false);
    });
  });

  it("set rows of a file aside by any identifier it maps, under their own numbers, without content", async () => {
    await withStore(async (store, folder) => {
      store.sqlite.exec("INSERT INTO erasure VALUES ('e', 0, x'00', NULL, NULL, NULL)");
      addTombstones(store, [{ type: "phone", value: "+31612345678" }], 0, "e");
      const mapping = parseMapping({
        source: "crm",
        region: "NL",
        event: [{ name: "Order Completed" }],
        fields: {
          occurredAt: { column: "at", zone: "UTC" },
          userId: "customer",
          identifiers: { phone: "telephone" },
        },
      });
      const file = join(folder, "crm.csv");
      const rows = ["a,020 624 1111", "b,06-1234 5678", "c,", "d,+31 6 12345678"];
      writeFileSync(
        file,
        ["at,customer,telephone", ...rows.map((row) => `2024-05-01T10:00:00Z,${row}`), ""].join(
          "\n",
        ),
      );
      const report = await importFile(store, fixedClock("2024-07-01T00:00:00Z"), { file, mapping });
      expect(report).to.include({ rowsAccepted: 2, rowsRejected: 2 });
      expect(readFileSync(report.rejectsFile ?? "", "utf8")).to.equal(
        "row,field,reason,content\n2,phone,erased on request,\n4,phone,erased on request,\n",
      );
      expect(
        await historyRows(store, "SELECT user_id FROM history ORDER BY user_id"),
      ).to.deep.equal([{ user_id: "a" }, { user_id: "c" }]);
    });
  });
});

describe("rectifying", () => {
  it("counts as the latest word, and stays history", async () => {
    await withStore(async (store) => {
      const clock = fixedClock("2024-07-01T00:00:00Z");
      const call = { type: "identify", userId: jan.value, traits: { name: "Jon", city: "Breda" } };
      await createCollector(store, fixedClock("2024-06-01T00:00:00Z")).collect({
        source: "webshop",
        calls: [call],
      });
      await resolveCustomers(store, clock);
      await rectifyPerson(store, clock, jan, { name: "Jan" });
      await resolveCustomers(store, clock);
      const said = store.sqlite
        .prepare("SELECT name, value, source FROM trait ORDER BY name")
        .all();
      expect(said).to.deep.equal([
        { name: "city", value: '"Breda"', source: "webshop" },
        { name: "name", value: '"Jan"', source: "operator" },
      ]);
      expect(store.sqlite.prepare("SELECT count(*) FROM inbox").pluck().get()).to.equal(2);
    });
  });
});
