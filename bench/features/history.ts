import { join } from "node:path";
import { type DuckDb, fixedClock, literal, openStore, type Store } from "../../src/base/index.ts";
import { writeHistoryFile } from "../../src/collection/history-file-store.ts";
import { recordCountedImport } from "../../src/collection/import-count-store.ts";
import { markResolved, parseMapping } from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { writeSnapshot } from "../../src/customers/snapshot-store.ts";

const SOURCE = "shop";
const ROWS_PER_FILE = 10_000_000;
const clock = fixedClock("2026-01-01T00:00:00Z");

/** As an import of the flat file would read it; products are what their ids say. */
const mapping = parseMapping({
  source: SOURCE,
  event: {
    column: "type",
    names: {
      view: "Product Viewed",
      search: "Products Searched",
      cart: "Product Added",
      purchase: "Order Completed",
      email: "Email Opened",
    },
  },
  knownAt: "occurredAt",
  fields: {
    occurredAt: { column: "ts", zone: "UTC" },
    userId: "customer_id",
    productId: "product_id",
    price: "amount",
    category: "category",
  },
});

/**
 * Makes a store in `<folder>/store` of the events in `<folder>/events.parquet`: history files of ten million
 * rows, in the order of time and known at once, users `c<customer_id>`, products `p<product_id>`, orders
 * `o<event_id>` of one line; `category` and
 * `session_id` are properties, the former also the product's category.
 *
 * Customers are written as resolving would number them, with their snapshot but without profiles;
 * `withProfiles` resolves them instead, which takes minutes for millions of events.
 */
export async function writeHistory(
  folder: string,
  { withProfiles }: { readonly withProfiles: boolean },
): Promise<void> {
  const store = await openStore(join(folder, "store"));
  try {
    const duckdb = await store.openDuckDb({ memoryLimitMiB: 2048 });
    try {
      const events = `read_parquet(${literal(join(folder, "events.parquet"))})`;
      const names = await writeFiles(store, duckdb, events);
      if (!withProfiles) {
        await writeCustomers(store, duckdb, events, names);
      }
    } finally {
      duckdb.close();
    }
    if (withProfiles) {
      await resolveCustomers(store, clock);
    }
  } finally {
    store.close();
  }
}

async function writeFiles(store: Store, duckdb: DuckDb, events: string): Promise<string[]> {
  const [counted] = await duckdb.rows(`SELECT count(*) AS n FROM ${events}`);
  const rows = Number(counted?.["n"]);
  const names: string[] = [];
  for (let from = 0; from < rows; from += ROWS_PER_FILE) {
    const id = `part-${String(names.length).padStart(3, "0")}`;
    const origin = { name: `${SOURCE}-${id}.parquet`, source: SOURCE, importRunId: id };
    const part = `SELECT * FROM ${events} WHERE event_id > ${from} AND event_id <= ${from + ROWS_PER_FILE}`;
    const [counted] = await duckdb.rows(`SELECT count(*) AS n FROM (${historyRowsSql(part)})`);
    const written = Number(counted?.["n"]);
    const said = { ...origin, imports: [], mappings: {}, replaces: [] };
    const file = await writeHistoryFile(duckdb, store, said, written, historyRowsSql(part));
    recordCountedImport(
      store,
      { source: SOURCE, json: JSON.stringify(mapping) },
      {
        id,
        source: SOURCE,
        file: "events.parquet",
        checksum: id,
        knownAtRule: JSON.stringify(mapping.knownAt),
        rowsRead: written,
        rowsAccepted: written,
        rowsDuplicate: 0,
        rowsRejected: 0,
        rejectsFile: null,
        finishedAt: clock.now(),
      },
      file,
      [],
    );
    names.push(origin.name);
  }
  return names;
}

function historyRowsSql(events: string): string {
  const purchase = (value: string): string => `CASE WHEN type = 'purchase' THEN ${value} END`;
  return `SELECT '${SOURCE}' AS source, 'e' || event_id AS message_id, 0::INTEGER AS line, 'track' AS type,
      CASE type WHEN 'view' THEN 'Product Viewed' WHEN 'search' THEN 'Products Searched' WHEN 'cart' THEN 'Product Added'
                WHEN 'purchase' THEN 'Order Completed' ELSE 'Email Opened' END AS event,
      epoch_ms(ts) AS occurred_at_ms, epoch_ms(ts) AS known_at_ms, 'c' || customer_id AS user_id, NULL::VARCHAR AS anonymous_id,
      ${purchase("'o' || event_id")} AS order_id,
      CASE WHEN type IN ('view', 'cart', 'purchase') THEN 'p' || product_id END AS product_id, NULL::VARCHAR AS product_name,
      ${purchase("1::DOUBLE")} AS quantity, ${purchase("amount::DOUBLE")} AS price, ${purchase("'EUR'")} AS currency,
      '{"category":"' || category || '","session_id":"' || session_id || '"}' AS properties,
      CASE type WHEN 'email' THEN 'email' ELSE 'web' END AS channel, NULL::VARCHAR AS campaign, NULL::DOUBLE AS cost,
      NULL::VARCHAR AS identifiers, NULL::VARCHAR AS traits, NULL::VARCHAR AS consent, false AS is_claim,
      CAST(category AS VARCHAR) AS category, CASE customer_id % 3 WHEN 0 THEN 'desktop' WHEN 1 THEN 'mobile' END AS device
    FROM (${events})`;
}

/** One identifier each, numbered in the order of first sight, as resolving does. */
async function writeCustomers(
  store: Store,
  duckdb: DuckDb,
  events: string,
  files: readonly string[],
): Promise<void> {
  const { sqlite } = store;
  const addCustomer = sqlite.prepare("INSERT INTO customer (id, first_seen_at) VALUES (?, ?)");
  const addIdentifier = sqlite.prepare(
    `INSERT INTO identifier (id, type, value, customer_id, source, first_seen_at, is_trusted)
     VALUES (@id, 'user_id', @value, @id, '${SOURCE}', @first, 1)`,
  );
  const add = sqlite.transaction((values: readonly unknown[], firsts: readonly unknown[]) => {
    for (const [index, value] of values.entries()) {
      id += 1;
      addCustomer.run(id, firsts[index]);
      addIdentifier.run({ id, value, first: firsts[index] });
    }
  });
  let id = 0;
  sqlite.pragma("synchronous = OFF");
  const sights = `SELECT 'c' || customer_id AS user_id, epoch_ms(min(ts)) AS first FROM ${events} GROUP BY customer_id ORDER BY first, user_id`;
  for await (const [values = [], firsts = []] of duckdb.chunks(sights)) {
    add(values, firsts);
  }
  sqlite.transaction(() => {
    sqlite.exec("UPDATE resolve_position SET identity_version = identity_version + 1");
    markResolved(store, files);
  })();
  await writeSnapshot(store, clock, duckdb);
}
