import { join } from "node:path";
import { expect } from "chai";
import { DAY_MS, literal, type SqlRow, type Store } from "../../src/base/index.ts";
import { bucketsOf, factsFolder } from "../../src/features/facts.ts";
import {
  type FeatureService,
  openOfflineStore,
  repurchaseService,
  type Spine,
  wholeService,
} from "../../src/features/index.ts";
import { importLines, rhythmicOrders, type ShopLine } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const CUTOFF = Date.parse("2023-09-01T00:00:00Z");
const CUTOFFS = [CUTOFF, CUTOFF + DAY_MS / 2];
const LABELS = [{ count: 4, lengthMs: 7 * DAY_MS, knownBefore: CUTOFF + 60 * DAY_MS }];

/** One takes back what another bought. */
const REFUNDED: readonly ShopLine[] = [
  { user: "first", order: "given", product: "P1", quantity: 3, at: "2023-08-01T00:00:00Z" },
  ...rhythmicOrders(40, 300),
  {
    user: "last",
    event: "refund",
    order: "given",
    product: "P1",
    quantity: 2,
    at: "2023-08-20T00:00:00Z",
  },
  { user: "last", event: "view", product: "P1", at: "2023-08-21T00:00:00Z" },
];

const ASKED: readonly (readonly [FeatureService, Spine])[] = [
  [repurchaseService, { entity: "pair", minimumPurchases: 1 }],
  [
    {
      name: "customer",
      version: 1,
      entity: "customer",
      features: ["customer_monetary", "customer_refund_quantity", "sessions_30d", "open_carts_30d"],
    },
    { entity: "customer", activeWithinDays: 30 },
  ],
  [wholeService("product"), { entity: "product" }],
];

/** The rows in the order of the file. */
async function rowsOf(store: Store, folder: string, linesPerBucket: number): Promise<SqlRow[][]> {
  const offline = await openOfflineStore(store, { linesPerBucket });
  const duckdb = await store.openDuckDb();
  const made: SqlRow[][] = [];
  for (const [service, spine] of ASKED) {
    const file = join(folder, "rows.parquet");
    const count = await offline.build({ service, spine, cutoffs: CUTOFFS, labels: LABELS, file });
    const rows = await duckdb.rows(`SELECT * FROM read_parquet(${literal(file)})`);
    expect(rows).to.have.length(count);
    made.push(rows);
  }
  duckdb.close();
  offline.close();
  return made;
}

describe("features/buckets", () => {
  it("writes the same rows in the same order from one bucket of customers and from several", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, REFUNDED);
      const linesPerBucket = 400;
      expect(bucketsOf(await factsFolder(store, { linesPerBucket }))).to.be.within(2, 20);
      const [one, several] = [
        await rowsOf(store, folder, 1_000_000),
        await rowsOf(store, folder, linesPerBucket),
      ];
      expect(one[0]?.length).to.be.above(100);
      expect(several).to.deep.equal(one);
    });
  });
});
