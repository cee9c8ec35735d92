import { createHash } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { literal, type Store } from "../base/index.ts";
import {
  createLinkedHistory,
  EVERY_PRODUCT,
  EventName,
  historyFiles,
  parseMapping,
  sourceMappings,
} from "../collection/index.ts";
import { identitySql, resolvedLinesSql } from "../customers/index.ts";
import { watchErasure } from "./erasure-watch.ts";
import { ANY_PRODUCT, KIND_OF_EVENT, SCALE } from "./fact.ts";

/** Raise it when facts change their meaning. */
const FACTS_VERSION = 1;
const PREFIX = "facts-";
const KEPT = 2;

/**
 * The folder of facts (Parquet, partitioned by kind): every event line that features read, with its customer
 * and product group, narrow and typed. Made once from the history, the identities and the mappings of now,
 * and used again until one of them changes; readers of the one before may go on.
 */
export async function factsFolder(store: Store): Promise<string> {
  const folder = store.path("features");
  const target = join(folder, `${PREFIX}${digestOf(store)}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}.partial`;
    rmSync(partial, { recursive: true, force: true });
    try {
      const wasErased = watchErasure(store);
      await writeFacts(store, partial);
      if (wasErased()) {
        return await factsFolder(store);
      }
      settle(partial, target);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    removeFormer(folder);
  }
  return target;
}

/** What a folder of facts was made of, as a digest: the same for the same history, identities and mappings. */
export function factsDigest(folder: string): string {
  return basename(folder).slice(PREFIX.length);
}

/** Another process may have made the same meanwhile. */
function settle(partial: string, target: string): void {
  try {
    renameSync(partial, target);
  } catch (error) {
    if (!existsSync(target)) {
      throw error;
    }
  }
}

/** Everything that facts follow from. */
function digestOf(store: Store): string {
  const mappings = [...sourceMappings(store)];
  const content = JSON.stringify([
    FACTS_VERSION,
    historyFiles(store),
    identitySql(store),
    mappings,
  ]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

function removeFormer(folder: string): void {
  const made = readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX) && !name.endsWith(".partial"))
    .map((name) => ({ name, at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { name } of made.slice(KEPT)) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

async function writeFacts(store: Store, folder: string): Promise<void> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await createLinkedHistory(duckdb, store);
    await duckdb.run(`CREATE TEMP TABLE identity AS SELECT * FROM ${identitySql(store)}`);
    await duckdb.run(
      `CREATE TEMP TABLE product_group AS
       SELECT source, product_id, ${productGroupSql(productRules(store))} AS product
       FROM (SELECT DISTINCT source, product_id FROM history WHERE product_id IS NOT NULL)`,
    );
    await duckdb.run(
      `CREATE TEMP TABLE event_kind AS SELECT * FROM (VALUES ${[...KIND_OF_EVENT]
        .map(([event, kind]) => `(${literal(event)}, ${literal(kind)})`)
        .join(", ")}) AS kinds (event, kind)`,
    );
    await duckdb.run(
      `CREATE TEMP TABLE taken_line AS
       SELECT row_number() OVER (ORDER BY source, message_id, line) AS line_key, source, message_id, line FROM (
         SELECT DISTINCT source, refunded_message_id AS message_id, refunded_line AS line
         FROM linked_refund WHERE refunded_message_id IS NOT NULL)`,
    );
    await duckdb.run("SET preserve_insertion_order = false");
    await duckdb.run(
      `COPY (${FACT_SQL}) TO ${literal(folder)} (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (kind))`,
    );
    await duckdb.run(
      `COPY (
         SELECT product, max_by(product_name, {'n': n, 'name': product_name}) AS name FROM (
           SELECT g.product, h.product_name, count(*) * 1000000 + length(h.product_name) AS n
           FROM history h JOIN product_group g USING (source, product_id)
           WHERE g.product IS NOT NULL AND h.event = ${literal(EventName.orderCompleted)} GROUP BY 1, 2
         ) GROUP BY 1 ORDER BY 1
       ) TO ${literal(join(folder, "product.parquet"))} (FORMAT parquet)`,
    );
  } finally {
    duckdb.close();
  }
}

const IS_BOUGHT =
  "(k.kind <> 'order' OR ((h.quantity IS NULL OR h.quantity > 0) AND (h.price IS NULL OR h.price > 0)))";
const HAS_PRODUCT =
  "(k.kind NOT IN ('order', 'refund') OR h.product_id IS NULL OR g.product IS NOT NULL)";

const FACT_SQL = `
  SELECT h.customer_id, k.kind, h.event, h.occurred_at_ms, h.known_at_ms,
         CASE WHEN h.product_id IS NOT NULL THEN g.product WHEN k.kind IN ('order', 'refund') THEN ${literal(ANY_PRODUCT)} END AS product,
         h.category, h.channel, h.campaign, h.device,
         CASE WHEN k.kind IN ('order', 'refund') THEN CAST(round(coalesce(h.quantity, 1) * ${SCALE}) AS BIGINT) END AS quantity,
         CASE WHEN k.kind = 'order' THEN coalesce(h.price, 0) END AS price,
         t.line_key
  FROM (${resolvedLinesSql("history", "identity")}) h
  JOIN event_kind k ON k.event = h.event
  LEFT JOIN product_group g ON g.source = h.source AND g.product_id = h.product_id
  LEFT JOIN taken_line t ON t.source = h.source AND t.message_id = coalesce(h.refunded_message_id, h.message_id)
    AND t.line = coalesce(h.refunded_line, h.line)
  WHERE ${IS_BOUGHT} AND ${HAS_PRODUCT}`;

/** What a source's mapping says of its products: which ids are any, and what group they are of. */
interface ProductRule {
  readonly source: string;
  readonly pattern: string;
  readonly groupPattern: string;
  readonly groupCase: "upper" | "lower" | "keep";
}

/** The product rules of every source. */
function productRules(store: Store): ProductRule[] {
  return [...sourceMappings(store)].map(([source, json]) => {
    const products = parseMapping(JSON.parse(json)).products ?? EVERY_PRODUCT;
    return {
      source,
      pattern: products.pattern,
      groupPattern: products.group.pattern,
      groupCase: products.group.case,
    };
  });
}

/** A product's group by its source's rule, as an SQL expression; NULL where the id is no product. */
function productGroupSql(rules: readonly ProductRule[]): string {
  const cases = rules.map((rule) => {
    const matched = `regexp_extract(product_id, ${literal(rule.groupPattern)}, 1)`;
    const group = `CASE WHEN ${matched} = '' THEN product_id ELSE ${matched} END`;
    const cased = rule.groupCase === "keep" ? group : `${rule.groupCase}(${group})`;
    return `WHEN source = ${literal(rule.source)} AND regexp_matches(product_id, ${literal(rule.pattern)}) THEN ${cased}`;
  });
  return cases.length === 0 ? "CAST(NULL AS VARCHAR)" : `CASE ${cases.join(" ")} END`;
}
