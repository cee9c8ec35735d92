import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { literal, openDuckDb, openStore, systemClock } from "../src/base/index.ts";
import { importFile, parseMapping } from "../src/collection/index.ts";

/** Imports or copies one file and prints how long it took, in seconds, and the process's peak memory, in MiB. */
const [system = "", file = ""] = process.argv.slice(2);

const mapping = parseMapping({
  source: "webshop",
  event: [
    { when: { column: "status", equals: "returned" }, name: "Order Refunded" },
    { name: "Order Completed" },
  ],
  knownAt: "occurredAt",
  fields: {
    occurredAt: { column: "created", zone: "UTC" },
    userId: "customer_no",
    orderId: "order_no",
    productId: "sku",
    productName: "title",
    quantity: "qty",
    price: "unit_price",
    currency: { value: "EUR" },
  },
});

async function herkoop(folder: string): Promise<number> {
  const store = await openStore(join(folder, "store"));
  try {
    const { rowsAccepted } = await importFile(store, systemClock, { file, mapping });
    return rowsAccepted;
  } finally {
    store.close();
  }
}

async function duckdb(folder: string): Promise<number> {
  const session = await openDuckDb({ temporaryFolder: folder });
  try {
    const from = file.endsWith(".csv")
      ? `read_csv(${literal(file)}, header = true)`
      : `read_parquet(${literal(file)})`;
    const out = literal(join(folder, "out.parquet"));
    await session.run(`COPY (SELECT * FROM ${from}) TO ${out} (FORMAT parquet, COMPRESSION zstd)`);
    const rows = await session.rows(`SELECT count(*) AS n FROM read_parquet(${out})`);
    return Number(rows[0]?.["n"]);
  } finally {
    session.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
try {
  const begin = performance.now();
  const rows = await (system === "herkoop" ? herkoop : duckdb)(folder);
  const seconds = (performance.now() - begin) / 1000;
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(`${JSON.stringify({ rows, seconds, peakMiB })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
