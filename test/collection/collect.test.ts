import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fixedClock, type Store } from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  importFile,
  type MessageResult,
  parseMapping,
  sealInbox,
} from "../../src/collection/index.ts";
import { historyRows, linesByMessage, linkedRows, orderCall } from "../support/live.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2011-12-10T06:00:00Z");

async function collect(store: Store, ...calls: object[]): Promise<readonly MessageResult[]> {
  return createCollector(store, clock).collect({ source: "webshop", calls });
}

async function withWebshop(work: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    createWriteKey(store, clock, "webshop");
    await work(store, folder);
  });
}

const refundCall = (messageId: string, event: string, properties: object): object => ({
  ...orderCall(messageId, { event, properties }),
  timestamp: "2011-12-09T12:00:00Z",
});

const REFUNDED = `SELECT product_id, quantity, refunded_message_id AS of, refunded_line AS line
  FROM history WHERE message_id = 'r' ORDER BY line`;

describe("collection", () => {
  it("takes any interleaving of batches with repeats once each, and the results sum up", async () => {
    const batches = fc.array(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 8 }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(8), async (ids, sealAt) => {
        await withWebshop(async (store) => {
          const collector = createCollector(store, clock);
          const send = async (some: readonly number[][]): Promise<readonly MessageResult[]> =>
            (
              await Promise.all(
                some.map((batch) =>
                  collector.collect({
                    source: "webshop",
                    calls: batch.map((id) => orderCall(String(id))),
                  }),
                ),
              )
            ).flat();
          const first = await send(ids.slice(0, sealAt));
          await sealInbox(store);
          const results = [...first, ...(await send(ids.slice(sealAt)))];
          const distinct = new Set(ids.flat().map(String));
          const of = (status: string): number =>
            results.filter((result) => result.status === status).length;
          expect(of("accepted")).to.equal(distinct.size);
          expect(of("duplicate")).to.equal(ids.flat().length - distinct.size);
          await sealInbox(store);
          const counts = await linesByMessage(store);
          expect(new Set(counts.keys())).to.deep.equal(distinct);
          expect([...counts.values()].every((lines) => lines === 2)).to.equal(true);
        });
      }),
      { numRuns: 12 },
    );
  });

  it("keeps an order as a line per product, the whole call on the first", async () => {
    await withWebshop(async (store) => {
      await collect(store, orderCall("o"), {
        ...orderCall("single"),
        event: "Product Viewed",
        properties: { sku: "C", name: "Bowl", price: 4 },
      });
      expect(await sealInbox(store)).to.deep.include({ lines: 3, linesLeftOut: 0 });
      const rows = await historyRows(
        store,
        "SELECT message_id AS id, line, type, order_id, product_id, product_name AS name, quantity, price, currency, properties IS NULL AS bare FROM history ORDER BY 1, 2",
      );
      const order = { id: "o", type: "track", order_id: "order-o", currency: "EUR" };
      expect(rows).to.deep.equal([
        { ...order, line: 0, product_id: "A", name: "Soap", quantity: 2, price: 3.5, bare: false },
        { ...order, line: 1, product_id: "B", name: "Towel", quantity: 1, price: 9, bare: true },
        {
          ...{ id: "single", line: 0, type: "track", order_id: null, product_id: "C" },
          ...{ name: "Bowl", quantity: null, price: 4, currency: null, bare: false },
        },
      ]);
    });
  });

  it("links a refund per line, and a whole one to what is left of its order", async () => {
    await withWebshop(async (store) => {
      const part = { order_id: "order-o", products: [{ product_id: "A", quantity: -1 }] };
      await collect(store, orderCall("o"), refundCall("part", "Order Refunded", part));
      await sealInbox(store);
      await collect(store, refundCall("r", "Order Refunded", { order_id: "order-o" }));
      await sealInbox(store);
      expect(await linkedRows(store, REFUNDED)).to.deep.equal([
        { product_id: "A", quantity: 1, of: "o", line: 0 },
        { product_id: "B", quantity: 1, of: "o", line: 1 },
      ]);
    });
  });

  it("takes calls up to 32 KB as JSON and none beyond, whatever they are made of", async () => {
    const fillers = ["x", "é", "\u20ac", "\u0001", '"', "\ud83d\ude00"];
    await withWebshop(async (store) => {
      for (const [index, filler] of fillers.entries()) {
        const call = { type: "page", messageId: `m${index}`, userId: "u", pad: "", properties: {} };
        const room = 32_768 - Buffer.byteLength(JSON.stringify(call));
        const bytesEach = Buffer.byteLength(JSON.stringify(filler)) - 2;
        const properties = { [filler.repeat(Math.floor((room - 9) / bytesEach))]: 1e-300 };
        const full = { ...call, properties };
        const left = 32_768 - Buffer.byteLength(JSON.stringify(full));
        const fits = { ...full, pad: "x".repeat(left) };
        const [over] = await collect(store, { ...fits, pad: `${fits.pad}x` });
        expect(over).to.include({ status: "rejected", field: "event" });
        expect((await collect(store, fits))[0]).to.include({ status: "accepted" });
      }
    });
  });

  it("lets a cancellation take back every line of its order, also in the same seal", async () => {
    await withWebshop(async (store) => {
      const cancelled = { order_id: "order-o", products: [{ product_id: "A" }] };
      await collect(store, refundCall("r", "Order Cancelled", cancelled), orderCall("o"));
      await sealInbox(store);
      expect(await linkedRows(store, REFUNDED)).to.deep.equal([
        { product_id: "A", quantity: 2, of: "o", line: 0 },
        { product_id: "B", quantity: 1, of: "o", line: 1 },
      ]);
    });
  });

  it("keeps a refund of an unknown order, linked to nothing", async () => {
    await withWebshop(async (store) => {
      await collect(store, refundCall("r", "Order Refunded", { order_id: "elsewhere" }));
      await sealInbox(store);
      const nothing = { product_id: null, quantity: null, of: null, line: null };
      expect(await linkedRows(store, REFUNDED)).to.deep.equal([nothing]);
    });
  });

  it("knows a message whether it came live or in a file, first or last", async () => {
    await withWebshop(async (store, folder) => {
      const importMessages = async (name: string, ...ids: string[]): Promise<number> => {
        const file = join(folder, name);
        const rows = ids.map((id) => `${id},2011-12-09T10:00:00Z,u1,Cart Viewed`);
        writeFileSync(file, ["id,at,user,event", ...rows, ""].join("\n"));
        const mapping = parseMapping({
          source: "webshop",
          event: { column: "event" },
          fields: { messageId: "id", occurredAt: { column: "at" }, userId: "user" },
        });
        return (await importFile(store, clock, { file, mapping })).rowsAccepted;
      };
      await collect(store, orderCall("live-1"), orderCall("live-2"));
      expect(await importMessages("a.csv", "live-1", "file-1", "file-2")).to.equal(2);
      const [known] = await collect(store, orderCall("file-1"));
      expect(known).to.deep.equal({ messageId: "file-1", status: "duplicate" });
      expect(await sealInbox(store)).to.deep.include({ lines: 4, linesLeftOut: 0 });
      expect(await importMessages("b.csv", "live-2", "file-1", "file-3")).to.equal(1);
      expect(await sealInbox(store)).to.deep.equal({ lines: 0, linesLeftOut: 0, file: null });
      expect(Object.fromEntries(await linesByMessage(store))).to.deep.equal({
        ...{ "live-1": 2, "live-2": 2, "file-1": 1, "file-2": 1, "file-3": 1 },
      });
    });
  });

  it("never parts a message, however small the files", async () => {
    await withWebshop(async (store) => {
      const calls = Array.from({ length: 20 }, (_, index) => orderCall(`m${index}`));
      await collect(store, ...calls);
      expect(await sealInbox(store, { linesPerFileMax: 3 })).to.deep.include({ lines: 40 });
      const files = store.sqlite.prepare("SELECT row_count FROM history_file").pluck().all();
      expect(files).to.deep.equal(Array(10).fill(4));
      expect((await linesByMessage(store)).size).to.equal(20);
    });
  });

  it("counts event names that mean nothing here", async () => {
    await withWebshop(async (store) => {
      const bought = (id: string): object => orderCall(id, { event: "order_finished" });
      await collect(store, bought("1"), bought("2"), bought("2"), orderCall("3"));
      const counted = store.sqlite
        .prepare("SELECT * FROM message_count WHERE kind = 'unknown_event'")
        .all();
      expect(counted).to.deep.equal([
        {
          source: "webshop",
          kind: "unknown_event",
          name: "order_finished",
          day: "2011-12-10",
          count: 2,
        },
      ]);
    });
  });
});
