import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { literal, type SqlRow, type Store } from "../../src/base/index.ts";
import { resolvedThrough, sealInbox } from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import {
  type FeatureService,
  materialisePopulation,
  openOfflineStore,
  openOnlineStore,
  type Spine,
  wholeService,
} from "../../src/features/index.ts";
import {
  openStream,
  type SettableClock,
  settableClock,
  streamStart,
  streamStep,
} from "../support/stream.ts";
import { withStore } from "../support/temporary.ts";

const SERVICES = [
  [wholeService("customer"), { entity: "customer" }],
  [wholeService("pair"), { entity: "pair", minimumPurchases: 1 }],
  [wholeService("customer_category"), { entity: "customer_category" }],
] as const satisfies readonly (readonly [FeatureService, Spine])[];

async function settle(store: Store, clock: SettableClock): Promise<void> {
  await sealInbox(store, { through: resolvedThrough(store.sqlite) });
  await resolveCustomers(store, clock);
}

async function offlineRows(
  store: Store,
  folder: string,
  service: FeatureService,
  spine: Spine,
  cutoffs: readonly number[],
): Promise<SqlRow[]> {
  const offline = await openOfflineStore(store);
  const file = join(folder, "parity.parquet");
  try {
    await offline.build({ service, spine, cutoffs, file });
  } finally {
    offline.close();
  }
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(`SELECT * FROM read_parquet(${literal(file)})`);
  } finally {
    duckdb.close();
  }
}

function keyOf(row: Readonly<Record<string, unknown>>): string {
  return [row["customer_id"], row["product"] ?? row["category"] ?? ""].join("/");
}

interface Seen {
  readonly service: FeatureService;
  readonly cutoff: number;
  readonly key: string;
  readonly values: readonly (number | null)[];
}

function expectSame(seen: Seen, row: SqlRow): void {
  seen.service.features.forEach((name, index) => {
    const online = seen.values[index] ?? null;
    const offline = row[name] ?? null;
    const where = `${name} of ${seen.key} at ${new Date(seen.cutoff).toISOString()}`;
    if (online === null || offline === null) {
      expect(offline, where).to.equal(online);
    } else {
      const slack = 1e-9 * Math.max(1, Math.abs(online));
      expect(Number(offline), where).to.be.closeTo(online, slack);
    }
  });
}

describe("features online and offline", () => {
  it("are the same number for every feature, at any instant of any stream", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        streamStart,
        fc.array(streamStep, { minLength: 5, maxLength: 40 }),
        fc.array(fc.nat({ max: 39 }), { minLength: 1, maxLength: 2 }),
        async (start, steps, readAfter) => {
          await withStore(async (store, folder) => {
            const clock = settableClock(start);
            const take = openStream(store, clock);
            const online = openOnlineStore(store, clock);
            const cutoffs = new Map<number, Seen[]>();
            for (const [index, step] of steps.entries()) {
              await take(step);
              if (readAfter.includes(index) || index === steps.length - 1) {
                await settle(store, clock);
                await materialisePopulation(store, clock, clock.now() + 1);
                cutoffs.set(clock.now() + 1, readAll(store, online, clock.now() + 1));
              }
            }
            await settle(store, clock);
            for (const [service, spine] of SERVICES) {
              const rows = await offlineRows(store, folder, service, spine, [...cutoffs.keys()]);
              for (const row of rows) {
                const seen = cutoffs
                  .get(Number(row["cutoff_ms"]))
                  ?.find((one) => one.service === service && one.key === keyOf(row));
                // A customer who was to be joined later stood alone then.
                if (seen !== undefined) {
                  expectSame(seen, row);
                  compared++;
                }
              }
            }
          });
        },
      ),
      { numRuns: Number(process.env["PARITY_RUNS"] ?? 6) },
    );
    expect(compared).to.be.greaterThan(20);
  }).timeout(600_000);
});

/** Everybody's vectors as of now: the customer's own, of every product and of every category. */
function readAll(store: Store, online: ReturnType<typeof openOnlineStore>, cutoff: number): Seen[] {
  const customers = store.sqlite
    .prepare<[], number>("SELECT id FROM customer WHERE merged_into IS NULL")
    .pluck()
    .all();
  const asked = [
    [SERVICES[0][0], [{}], [""]],
    [SERVICES[1][0], ["A", "B", "C"].map((product) => ({ product })), ["A", "B", "C"]],
    [SERVICES[2][0], ["soap", "oil"].map((category) => ({ category })), ["soap", "oil"]],
  ] as const;
  return customers.flatMap((id) =>
    asked.flatMap(([service, of, names]) =>
      online.readAt(service, id, cutoff, of).rows.map((values, index) => ({
        service,
        cutoff,
        key: `${id}/${names[index] ?? ""}`,
        values,
      })),
    ),
  );
}
