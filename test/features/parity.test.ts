import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { literal, ServiceError, type SqlRow, type Store } from "../../src/base/index.ts";
import { resolvedThrough, sealInbox } from "../../src/collection/index.ts";
import { erasePerson, resolveCustomers, separateIdentifiers } from "../../src/customers/index.ts";
import {
  type FeatureService,
  featureCatalogue,
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

const READS_POPULATION: ReadonlySet<string> = new Set([
  "pair_product_overdue_ratio",
  "pair_price_ratio",
  "pair_price_change_ratio",
]);

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

/** Whose each identifier is. */
function ownersOf(store: Store): ReadonlyMap<number, number> {
  return new Map(
    store.sqlite
      .prepare<[], [number, number]>(
        "SELECT id, customer_id FROM identifier WHERE customer_id IS NOT NULL",
      )
      .raw()
      .all(),
  );
}

/** The identifier that each customer began with: those that were joined later came to it. */
function rootsOf(store: Store): ReadonlyMap<number, number> {
  return new Map(
    store.sqlite
      .prepare<[], [number, number]>(
        "SELECT customer_id, id FROM identifier WHERE customer_id IS NOT NULL ORDER BY linked_at DESC, id DESC",
      )
      .raw()
      .all(),
  );
}

/** What a row of now was called then: by the customer who held its root. */
function keyThen(
  row: SqlRow,
  roots: ReadonlyMap<number, number>,
  owners: ReadonlyMap<number, number> | undefined,
): string {
  const customer = owners?.get(roots.get(Number(row["customer_id"])) ?? -1) ?? "nobody";
  return `${customer}/${String(row["product"] ?? row["category"] ?? "")}`;
}

interface Seen {
  readonly service: FeatureService;
  readonly cutoff: number;
  readonly key: string;
  readonly values: readonly (number | null)[];
}

/** Of everybody together; who was joined since is counted otherwise now than then. */
const POPULATION: ReadonlySet<string> = new Set(
  featureCatalogue()
    .filter(
      ({ name, entity }) =>
        entity === "product" || entity === "category" || READS_POPULATION.has(name),
    )
    .map(({ name }) => name),
);

function expectSame(seen: Seen, row: SqlRow, isLast: boolean): void {
  seen.service.features.forEach((name, index) => {
    if (!isLast && POPULATION.has(name)) {
      return;
    }
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

interface Correction {
  readonly after: number;
  readonly kind: "unmerge" | "erase";
  readonly person: number;
}

const correction: fc.Arbitrary<Correction> = fc.record({
  after: fc.nat({ max: 20 }),
  kind: fc.constantFrom("unmerge", "erase"),
  person: fc.integer({ min: 1, max: 3 }),
});

async function correct(
  store: Store,
  clock: SettableClock,
  folder: string,
  { kind, person }: Correction,
): Promise<void> {
  const account = { type: "user_id", value: `u${person}` };
  try {
    if (kind === "erase") {
      await erasePerson(store, clock, account, { modelsFolder: join(folder, "models") });
    } else {
      const visitor = { type: "anonymous_id", value: `v${person}` };
      separateIdentifiers(store, clock, account, visitor, "two people");
    }
  } catch (error) {
    // Nobody of that name yet, or never joined.
    if (!(error instanceof ServiceError)) {
      throw error;
    }
  }
}

describe("features online and offline", () => {
  it("are the same number for every feature, at any instant of any stream", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        streamStart,
        fc.array(streamStep, { minLength: 5, maxLength: 40 }),
        fc.array(fc.nat({ max: 39 }), { minLength: 1, maxLength: 2 }),
        fc.array(correction, { maxLength: 2 }),
        async (start, steps, readAfter, corrections) => {
          await withStore(async (store, folder) => {
            const clock = settableClock(start);
            const online = openOnlineStore(store);
            const take = openStream(store, clock, online);
            const cutoffs = new Map<number, Seen[]>();
            const owners = new Map<number, ReadonlyMap<number, number>>();
            for (const [index, step] of steps.entries()) {
              await take(step);
              // What is at hand from here on has to follow what comes.
              readAll(store, online, clock.now() + 1);
              for (const one of corrections.filter(({ after }) => after === index)) {
                await settle(store, clock);
                await correct(store, clock, folder, one);
                // From here on the history tells of other people.
                cutoffs.clear();
              }
              if (readAfter.includes(index) || index === steps.length - 1) {
                await settle(store, clock);
                // The day's own may be of before somebody was joined, from whom on it is counted otherwise.
                store.sqlite.exec("DELETE FROM population_run");
                await materialisePopulation(store, clock, clock.now() + 1);
                cutoffs.set(clock.now() + 1, readAll(store, online, clock.now() + 1));
                owners.set(clock.now() + 1, ownersOf(store));
                // What comes within the millisecond of a reading comes too late for it.
                clock.set(clock.now() + 1);
              }
            }
            await settle(store, clock);
            const rootOf = rootsOf(store);
            for (const [service, spine] of SERVICES) {
              const rows = await offlineRows(store, folder, service, spine, [...cutoffs.keys()]);
              for (const row of rows) {
                const cutoff = Number(row["cutoff_ms"]);
                const seen = cutoffs
                  .get(cutoff)
                  ?.find(
                    (one) =>
                      one.service === service &&
                      one.key === keyThen(row, rootOf, owners.get(cutoff)),
                  );
                if (seen !== undefined) {
                  expectSame(seen, row, cutoff === Math.max(...cutoffs.keys()));
                  compared++;
                }
              }
            }
          });
        },
      ),
      { numRuns: 6, endOnFailure: true },
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
