import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { fixedClock, type Store, writeTransaction } from "../../src/base/index.ts";
import { type Arrival, openInbox } from "../../src/collection/inbox-store.ts";
import {
  createCollector,
  createWriteKey,
  importFile,
  parseMapping,
  readQuality,
} from "../../src/collection/index.ts";
import { OTHER_NAMES, openMessageCounts } from "../../src/collection/message-count-store.ts";
import { orderCall } from "../support/live.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2011-12-10T06:00:00Z");

async function collect(store: Store, calls: readonly object[]): Promise<void> {
  await createCollector(store, clock).collect({ source: "webshop", calls });
}

describe("quality", () => {
  it("tells what came of a source, live and in files, and what to see to first", async () => {
    await withStore(async (store, folder) => {
      createWriteKey(store, clock, "webshop");
      const file = join(folder, "a.csv");
      writeFileSync(file, "id,at,user\n1,2011-12-01T00:00:00Z,u\n2,yesterday,u\n");
      const fields = { messageId: "id", occurredAt: { column: "at" }, userId: "user" };
      const mapping = parseMapping({
        source: "till",
        event: [{ name: "Order Completed" }],
        fields,
      });
      await importFile(store, clock, { file, mapping });
      const page = { type: "page", anonymousId: "v", timestamp: "2011-12-10T05:59:59Z" };
      await collect(store, [
        orderCall("a"),
        orderCall("a"),
        orderCall("b", {
          event: "gekocht",
          properties: { product_id: "A", price: -1, quantity: 0 },
        }),
        orderCall("c", { userId: null }),
        orderCall("d", { timestamp: "1999-01-01T00:00:00Z" }),
        page,
      ]);
      const [till, webshop] = readQuality(store);
      expect(till).to.deep.include({ source: "till", live: null });
      expect(till?.imports).to.deep.include({ accepted: 1, rejected: 1, duplicates: 0 });
      expect(webshop?.verdict).to.equal(
        "16.7% is rejected, most often for userId: expected a userId or an anonymousId",
      );
      expect(webshop?.live).to.deep.include({
        accepted: 4,
        duplicates: 1,
        rejected: 1,
        firstDay: "2011-12-10",
        lastDay: "2011-12-10",
        unknownEvents: [{ name: "gekocht", count: 1 }],
        channels: [
          { name: "unknown", count: 3 },
          { name: "web", count: 1 },
        ],
        missingIdentifiers: [{ name: "anonymous_id alone", count: 1 }],
        impossible: [
          { name: "price below 0", count: 1 },
          { name: "quantity of 0", count: 1 },
          { name: "time before the year 2000", count: 1 },
        ],
        lateness: { p50: "1 day", p95: "later", p99: "later" },
        lateShare: 0.25,
        missingIdentifierShare: 0.25,
      });
      expect(
        readQuality(store, { source: "webshop", since: Date.UTC(2011, 11, 11) }),
      ).to.deep.equal([{ source: "webshop", verdict: "nothing came", live: null, imports: null }]);
      expect(() => readQuality(store, { source: "app" })).to.throw('no source "app"');
    });
  });

  it("tells of files by what their imports counted", async () => {
    await withStore((store) => {
      store.sqlite.exec(`INSERT INTO source VALUES ('till', '{}', 0);
        INSERT INTO import_run (id, source, file, checksum, known_at_rule, rows_read, rows_accepted, rows_duplicate, rows_rejected, finished_at)
          VALUES ('r', 'till', 'f', 'c', 'now', 12, 8, 1, 3, 1323500400000);
        CREATE TABLE IF NOT EXISTS import_count (import_run_id TEXT, kind TEXT, name TEXT, count INTEGER);
        INSERT INTO import_count (import_run_id, kind, name, count) VALUES ('r', 'event', 'Order Completed', 8),
          ('r', 'channel', 'store', 8), ('r', 'reject', 'occurredAt: expected a time', 3),
          ('r', 'missing_identifier', '', 2), ('r', 'late', '1 day', 6), ('r', 'late', '7 days', 2)`);
      const [till] = readQuality(store, { source: "till" });
      expect(till?.verdict).to.match(
        /^25.0% is rejected, most often for occurredAt: expected a time/,
      );
      expect(till?.imports).to.deep.include({
        ...{ accepted: 8, duplicates: 1, rejected: 3, firstDay: "2011-12-10", lateShare: 0.25 },
        lateness: { p50: "1 day", p95: "7 days", p99: "7 days" },
        missingIdentifierShare: 0.25,
        rejects: [{ name: "occurredAt: expected a time", count: 3 }],
      });
      return Promise.resolve();
    });
  });

  it("tells apart so many names and no more", async () => {
    await withStore((store) => {
      const counts = openMessageCounts(store);
      for (let name = 0; name < 1_500; name++) {
        counts.add("webshop", "unknown_event", `name ${name}`);
      }
      writeTransaction(store.sqlite, () => {
        counts.write(clock.now());
      });
      const again = openMessageCounts(store);
      again.add("webshop", "unknown_event", "another");
      again.add("webshop", "unknown_event", "name 3");
      again.write(clock.now());
      const rows = store.sqlite
        .prepare<[], { name: string; count: number }>("SELECT name, count FROM message_count")
        .all();
      expect(rows).to.have.lengthOf(1_001);
      expect(rows.find(({ name }) => name === OTHER_NAMES)?.count).to.equal(501);
      expect(rows.find(({ name }) => name === "name 3")?.count).to.equal(2);
      return Promise.resolve();
    });
  });

  it("keeps the latest refused messages of each source, and counts them all", async () => {
    await withStore((store) => {
      const inbox = openInbox(store, 100);
      const refused = (messageId: string): Arrival => ({
        refusal: { messageId, field: "event", reason: "expected an object" },
        content: "7",
      });
      const send = (source: string, count: number): void => {
        for (let index = 0; index < count; index += 5) {
          const ids = [index, index + 1, index + 2, index + 3, index + 4].map(String);
          const arrivals = ids.map(refused);
          inbox.append([{ source, receivedAt: clock.now(), arrivals }]);
        }
      };
      send("quiet", 5);
      send("noisy", 500);
      const kept = store.sqlite
        .prepare<[], [string, number, string]>(
          "SELECT source, count(*), max(CAST(message_id AS INTEGER)) FROM rejected_message GROUP BY 1 ORDER BY 1",
        )
        .raw()
        .all();
      const [noisy, quiet] = kept;
      expect(quiet).to.deep.equal(["quiet", 5, 4]);
      expect(noisy?.[1]).to.be.within(100, 110);
      expect(noisy?.[2]).to.equal(499);
      const counted = store.sqlite
        .prepare("SELECT sum(count) FROM message_count WHERE source = 'noisy' AND kind = 'reject'")
        .pluck()
        .get();
      expect(counted).to.equal(500);
      return Promise.resolve();
    });
  });
});
