import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, type SqlRow, type Store } from "../../src/base/index.ts";
import {
  compactHistory,
  exportRefunds,
  historySummary,
  matchRefunds,
} from "../../src/collection/index.ts";
import { intentService, openOfflineStore } from "../../src/features/index.ts";
import { linkedRows, readRows } from "../support/live.ts";
import { importLines, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const LINKS = `SELECT r.order_id AS refund, r.product_id AS product, r.quantity, o.order_id AS bought
  FROM history r LEFT JOIN history o ON o.message_id = r.refunded_message_id AND o.line = r.refunded_line
  WHERE r.event = 'Order Refunded' ORDER BY ALL`;
const START = Date.UTC(2024, 0, 1);
const at = (day: number): string => new Date(START + day * DAY_MS).toISOString();

async function importParts(
  store: Store,
  folder: string,
  parts: readonly (readonly ShopLine[])[],
  changes: object = {},
): Promise<void> {
  for (const [index, lines] of parts.entries()) {
    await importLines(store, folder, lines, shopMapping({ ...changes }), `${index}.csv`);
  }
}

/** An order or a refund of one of two products by one person, and when it became known. */
const anyLine = fc.record({
  day: fc.integer({ min: 0, max: 20 }),
  delay: fc.constantFrom(0, 0, 1, 15),
  product: fc.constantFrom("A", "A", "B"),
  order: fc.constantFrom("o1", "o2", "o3"),
  quantity: fc.integer({ min: 1, max: 4 }),
  event: fc.constantFrom("order", "order", "refund"),
});
type Drawn = typeof anyLine extends fc.Arbitrary<infer T> ? T : never;

const lineOf = ({ day, delay, ...rest }: Drawn): ShopLine => ({
  user: "jan",
  at: at(day),
  known: at(day + delay),
  ...rest,
});

async function features(store: Store, ...cutoffDays: number[]): Promise<Buffer> {
  const offline = await openOfflineStore(store);
  try {
    const file = join(store.folder, "features.parquet");
    const spine = { entity: "customer", activeWithinDays: 400 } as const;
    const cutoffs = cutoffDays.map((day) => START + day * DAY_MS);
    await offline.build({ service: intentService, cutoffs, spine, file });
    return readFileSync(file);
  } finally {
    offline.close();
  }
}

describe("refunds, in whatever order files come", () => {
  it("are linked to an order that comes later", async () => {
    await withStore(async (store, folder) => {
      const refund = { user: "jan", event: "refund", order: "r", quantity: 2, at: at(5) };
      const order = { user: "jan", order: "o", quantity: 2, at: at(1), known: at(9) };
      await importParts(store, folder, [[refund], [{ user: "eva", at: at(1) }]]);
      expect(await linkedRows(store, LINKS)).to.deep.equal([
        { refund: "r", product: "A", quantity: 2, bought: null },
      ]);
      await importLines(store, folder, [order], shopMapping(), "late.csv");
      const linked = [{ refund: "r", product: "A", quantity: 2, bought: "o" }];
      expect(await linkedRows(store, LINKS)).to.deep.equal(linked);
      const file = join(folder, "refunds.parquet");
      expect(await exportRefunds(store, file)).to.equal(1);
      const [row] = await readRows(
        store,
        `SELECT quantity, refunded_line FROM read_parquet('${file}')`,
      );
      expect(row).to.deep.equal({ quantity: 2, refunded_line: 0 });
    });
  });

  it("come to the same links and the same features, split into files anyhow", async function () {
    this.timeout(60_000);
    const drawn = fc.array(anyLine, { minLength: 2, maxLength: 12 });
    const wholeOrders = fc.boolean();
    await fc.assert(
      fc.asyncProperty(
        drawn,
        fc.infiniteStream(fc.nat(2)),
        wholeOrders,
        async (some, stream, isWhole) => {
          // Equal rows would be told apart by their number within a file alone.
          const lines = some.map((one, index) => lineOf({ ...one, day: one.day + index / 100 }));
          const base = {
            occurredAt: { column: "at" },
            orderId: "order",
            userId: "user",
            quantity: "quantity",
          };
          const fields = isWhole ? base : { ...base, productId: "product" };
          const outcome = async (parts: readonly (readonly ShopLine[])[]): Promise<unknown[]> =>
            withStore(async (store, folder) => {
              await importParts(store, folder, parts, { fields });
              await compactHistory(store);
              expect(historySummary(store).rows).to.equal(lines.length);
              const links: SqlRow[] = await linkedRows(store, LINKS);
              return [links, (await features(store, 12, 60)).toString("hex")];
            });
          const parts = [0, 1, 2].map((): ShopLine[] => []);
          for (const line of lines) {
            parts[Number(stream.next().value)]?.push(line);
          }
          const filled = parts.filter((part) => part.length > 0);
          const once = await outcome([lines]);
          expect(await outcome(filled)).to.deep.equal(once);
          expect(await outcome([...filled].reverse())).to.deep.equal(once);
        },
      ),
      { numRuns: 2 },
    );
  });

  it("are matched, up to any instant, as if nothing had become known later", () => {
    const drawn = fc.array(anyLine, { maxLength: 25 });
    fc.assert(
      fc.property(drawn, fc.integer({ min: 0, max: 40 }), fc.boolean(), (some, until, isOwn) => {
        const links = (known: readonly (Drawn & { id: string })[]): unknown[] => {
          const of = ({ id, day, delay, order, quantity }: Drawn & { id: string }) => ({
            ...{ messageId: id, line: 0, request: 0, isWhole: order === "o3", orderId: order },
            ...{ occurredAt: day, knownAt: day + delay, remaining: quantity, quantity },
          });
          return matchRefunds(
            known.filter(({ event }) => event === "order").map(of),
            known.filter(({ event }) => event === "refund").map(of),
            isOwn ? "same-order" : "latest-purchase",
          )
            .filter((part) => part.of !== null)
            .map(
              (part) => `${part.messageId} takes ${part.quantity} of ${part.of?.messageId ?? ""}`,
            );
        };
        const all = some.map((one, index) => ({ ...one, id: `m${index}` }));
        const early = all.filter(({ day, delay }) => day + delay < until);
        const ids = new Set(early.map(({ id }) => id));
        const isEarly = (link: unknown): boolean =>
          String(link)
            .split(" ")
            .filter((word) => word.startsWith("m"))
            .every((id) => ids.has(id));
        expect(links(all).filter(isEarly).sort()).to.deep.equal(links(early).sort());
        expect(links([...all].reverse()).sort()).to.deep.equal(links(all).sort());
      }),
      { numRuns: 200 },
    );
  });
});
