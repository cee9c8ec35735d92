import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, openStore } from "../../src/base/index.ts";
import { intentService } from "../../src/features/index.ts";
import { emptyDataset } from "../../src/models/dataset-store.ts";
import type { Dataset } from "../../src/models/index.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Where rows begin to be judged, and where those end that are learned from (UTC). */
export const PERIODS = {
  validationTrain: ["2020-11-01", "2020-12-04"],
  validation: ["2020-12-11", "2020-12-25"],
  train: ["2020-11-01", "2020-12-25"],
  test: ["2021-01-01", "2021-01-24"],
} as const;

/** Rows of features with when the next purchase came, ms; Infinity where none did. */
export interface LabelledRows {
  readonly dataset: Dataset;
  readonly waits: Float64Array;
}

export interface Merchandise {
  /** One row per user, instant and event that is no purchase. */
  readonly visits: LabelledRows;
  /** Users seen in the 30 days before a Sunday; in training, before every fifth day. */
  readonly pool: LabelledRows;
  readonly visitsFile: string;
  readonly poolFile: string;
}

/** Imports the shop into a store and reads its rows, each with the features known at its instant. */
export async function readMerchandise(data: string, work: string): Promise<Merchandise> {
  const storeFolder = join(work, "store");
  const herkoop = (...args: string[]): void => {
    execFileSync(
      process.execPath,
      [join(ROOT, "bin", "herkoop.js"), "--store", storeFolder, ...args],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
  };
  const store = await openStore(storeFolder);
  const duckdb = await store.openDuckDb();
  try {
    await writeEvents(duckdb, data, join(work, "events.parquet"));
    await writeVisitLabels(duckdb, data, join(work, "visit-labels.parquet"));
    await writePoolLabels(duckdb, data, join(work, "pool-labels.parquet"));
    writeFileSync(join(work, "mapping.json"), JSON.stringify(MAPPING));
    herkoop("import", join(work, "events.parquet"), "--mapping", join(work, "mapping.json"));
    const rowsOf = async (name: string): Promise<LabelledRows> => {
      const file = join(work, `${name}.parquet`);
      herkoop(
        "features",
        "rows",
        intentService.name,
        "--rows",
        join(work, `${name}-labels.parquet`),
        "--out",
        file,
      );
      return readRows(duckdb, file);
    };
    return {
      visits: await rowsOf("visit"),
      pool: await rowsOf("pool"),
      visitsFile: join(work, "visit.parquet"),
      poolFile: join(work, "pool.parquet"),
    };
  } finally {
    duckdb.close();
    store.close();
  }
}

const MAPPING = {
  source: "google-merchandise",
  event: {
    column: "event",
    names: {
      add_to_cart: "Product Added",
      begin_checkout: "Checkout Started",
      purchase: "Order Completed",
      first_visit: "Page Viewed",
    },
  },
  knownAt: "occurredAt",
  fields: {
    occurredAt: { column: "timestamp", zone: "UTC" },
    userId: "user_id",
    productId: "item_id",
    price: "price",
    currency: { value: "USD" },
    category: "category",
    device: "device",
    channel: { value: "web" },
  },
};

/** Events with their items' prices and categories, and each user's first visit as an event (as GA4 itself has it). */
async function writeEvents(duckdb: DuckDb, data: string, file: string): Promise<void> {
  const events = `read_parquet(${literal(join(data, "events.parquet"))})`;
  await duckdb.run(
    `COPY (SELECT e.user_id, e.event, e.timestamp, e.item_id, i.price_in_usd AS price, i.category, e.device
             FROM ${events} e LEFT JOIN read_parquet(${literal(join(data, "items.parquet"))}) i ON i.id = e.item_id
           UNION ALL
           SELECT user_id, 'first_visit', first_seen, NULL, NULL, NULL, NULL FROM read_parquet(${literal(join(data, "users.parquet"))})
            WHERE first_seen > '2015-01-01' AND user_id IN (SELECT user_id FROM ${events})
           ORDER BY 3, 1, 2, 4) TO ${literal(file)} (FORMAT parquet)`,
  );
}

async function writeVisitLabels(duckdb: DuckDb, data: string, file: string): Promise<void> {
  const events = `read_parquet(${literal(join(data, "events.parquet"))})`;
  await duckdb.run(
    `COPY (
       WITH bought AS (SELECT DISTINCT user_id, epoch_ms(timestamp) AS bought_ms FROM ${events} WHERE event = 'purchase'),
       looked AS (SELECT DISTINCT user_id, event, epoch_ms(timestamp) AS looked_ms FROM ${events} WHERE event <> 'purchase')
       SELECT l.user_id, l.event, l.looked_ms + 1 AS cutoff_ms, b.bought_ms - l.looked_ms AS wait_ms
       FROM looked l ASOF LEFT JOIN bought b ON b.user_id = l.user_id AND l.looked_ms < b.bought_ms
       WHERE l.looked_ms < epoch_ms(TIMESTAMP '2021-01-24')
       ORDER BY 3, 1, 2) TO ${literal(file)} (FORMAT parquet)`,
  );
}

async function writePoolLabels(duckdb: DuckDb, data: string, file: string): Promise<void> {
  const events = `read_parquet(${literal(join(data, "events.parquet"))})`;
  await duckdb.run(
    `COPY (
       WITH bought AS (SELECT DISTINCT user_id, epoch_ms(timestamp) AS bought_ms FROM ${events} WHERE event = 'purchase'),
       day AS (
         SELECT epoch_ms(d) AS cutoff_ms FROM unnest(range(TIMESTAMP '2020-11-15', TIMESTAMP '2020-12-26', INTERVAL 5 DAY)) AS t (d)
         UNION ALL SELECT epoch_ms(d) FROM unnest(range(TIMESTAMP '2021-01-03', TIMESTAMP '2021-01-25', INTERVAL 7 DAY)) AS t (d)),
       pool AS (
         SELECT DISTINCT e.user_id, d.cutoff_ms FROM (SELECT user_id, epoch_ms(timestamp) AS at_ms FROM ${events}) e
         JOIN day d ON e.at_ms < d.cutoff_ms AND e.at_ms >= d.cutoff_ms - 2592000000)
       SELECT p.user_id, p.cutoff_ms, b.bought_ms - p.cutoff_ms AS wait_ms
       FROM pool p ASOF LEFT JOIN bought b ON b.user_id = p.user_id AND p.cutoff_ms <= b.bought_ms
       ORDER BY 2, 1) TO ${literal(file)} (FORMAT parquet)`,
  );
}

async function readRows(duckdb: DuckDb, file: string): Promise<LabelledRows> {
  const featureNames = intentService.features;
  const from = `read_parquet(${literal(file)})`;
  const rows = Number((await duckdb.rows(`SELECT count(*) AS n FROM ${from}`))[0]?.["n"]);
  const waits = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const dataset = emptyDataset(featureNames, rows);
  let offset = 0;
  const chunks = duckdb.chunks(
    `SELECT user_id, cutoff_ms, wait_ms, ${featureNames.join(", ")} FROM ${from} ORDER BY cutoff_ms, user_id`,
  );
  for await (const [users = [], cutoffs = [], wait = [], ...features] of chunks) {
    users.forEach((user, index) => {
      const row = offset + index;
      dataset.customers[row] = Number(user);
      dataset.cutoffs[row] = Number(cutoffs[index]);
      waits[row] = Number(wait[index] ?? Number.POSITIVE_INFINITY);
      features.forEach((values, column) => {
        dataset.features[row * featureNames.length + column] = Number(values[index] ?? Number.NaN);
      });
    });
    offset += users.length;
  }
  if (offset < rows) {
    throw new Error(`${file}: read ${offset} of ${rows} rows; the session's memory is too small`);
  }
  return { dataset, waits };
}
