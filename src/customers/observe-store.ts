import { type DuckDb, literal, type SqlRow, type Store } from "../base/index.ts";
import { EventName, historySql, personSql, REFUND_EVENTS } from "../collection/index.ts";
import { IS_ORDER_LINE, LINES_AGE_MS, LINES_MAX, LINES_MIN } from "./kept-lines.ts";
import type { SeenLine } from "./observation.ts";
import {
  type Activity,
  NO_CHANNEL,
  type OrderPart,
  type RecentLine,
} from "./profile-write-store.ts";

/**
 * What history files hold of persons, read through one DuckDB session. Lines that call their person by
 * the same names form a group; each group has one owner, which is told before the rest is read.
 */
export interface FileObserver {
  /** A line per group: its names, its earliest event, how it was first known. */
  groups(): AsyncGenerator<{ readonly group: number; readonly line: SeenLine }[]>;
  /** Whose the groups are: [group, identifier id]. */
  own(owners: readonly (readonly [number, number])[]): Promise<void>;
  activities(): Promise<Activity[]>;
  orders(): Promise<OrderPart[]>;
  recent(): AsyncGenerator<RecentLine[]>;
  /** Lines that say something of their person: traits or consent. */
  statements(): AsyncGenerator<{ readonly identifierId: number; readonly line: SeenLine }[]>;
}

const KEY = ["user_id", "anonymous_id", "identifiers"]
  .map((column) => `coalesce(${column}, chr(0))`)
  .concat("coalesce(is_claim, false)", "source")
  .join(" || chr(31) || ");

/** An observer of the given history files. */
export async function observeFiles(
  duckdb: DuckDb,
  store: Store,
  files: readonly string[],
): Promise<FileObserver> {
  await duckdb.run(
    `CREATE OR REPLACE TEMP VIEW seen AS SELECT *, ${KEY} AS person FROM ${historySql(store, files)}`,
  );
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE person_group AS
     SELECT row_number() OVER (ORDER BY user_id IS NULL, occurred_at_ms, person) AS number, * FROM (
       SELECT person, any_value(source) AS source, any_value(user_id) AS user_id, any_value(anonymous_id) AS anonymous_id,
              any_value(identifiers) AS identifiers, any_value(coalesce(is_claim, false)) AS is_claim,
              min(occurred_at_ms) AS occurred_at_ms, min(known_at_ms) AS known_at_ms,
              arg_min(message_id, {'at': occurred_at_ms, 'id': message_id}) AS message_id
       FROM seen WHERE coalesce(user_id, anonymous_id, identifiers) IS NOT NULL GROUP BY person)`,
  );
  await duckdb.run("CREATE OR REPLACE TEMP TABLE owner (number DOUBLE, identifier_id DOUBLE)");
  await duckdb.run(
    `CREATE OR REPLACE TEMP VIEW owned AS
     SELECT s.*, o.identifier_id FROM seen s JOIN person_group g ON g.person = s.person JOIN owner o ON o.number = g.number`,
  );
  return {
    groups: () => batches(duckdb, "SELECT * FROM person_group ORDER BY number", groupOf),
    own: (owners) => duckdb.append("owner", owners),
    activities: async () =>
      (
        await duckdb.rows(
          `SELECT identifier_id AS "identifierId", source, coalesce(channel, ${literal(NO_CHANNEL)}) AS channel,
                  count(DISTINCT message_id) AS "eventCount", min(occurred_at_ms) AS "firstAt", max(occurred_at_ms) AS "lastAt",
                  max(CASE WHEN coalesce(is_claim, false) THEN 0 ELSE 1 END) AS "isTrusted"
           FROM owned GROUP BY ALL`,
        )
      ).map((row) => row as unknown as Activity),
    orders: async () => (await duckdb.rows(ORDERS)).map((row) => row as unknown as OrderPart),
    recent: () => batches(duckdb, RECENT, (row) => row as unknown as RecentLine),
    statements: () =>
      batches(
        duckdb,
        `SELECT identifier_id, source, message_id, event, occurred_at_ms, known_at_ms, traits, consent, is_claim FROM owned
         WHERE traits IS NOT NULL OR consent IS NOT NULL ORDER BY occurred_at_ms, message_id`,
        (row) => ({ identifierId: Number(row["identifier_id"]), line: lineOf(row) }),
      ),
  };
}

const IS_ORDER = `event = ${literal(EventName.orderCompleted)}`;
const IS_REFUND = `event IN (${REFUND_EVENTS.map((name) => literal(name)).join(", ")})`;
const IS_PART = `${IS_REFUND} AND product_id IS NOT NULL`;
const IS_WHOLE = `${IS_REFUND} AND product_id IS NULL AND price IS NULL`;

/** Sums of doubles, to a hundredth of a cent. */
function sumOf(when: string, what: string): string {
  return `CAST(sum(CASE WHEN ${when} THEN CAST(${what} AS DECIMAL(38, 4)) ELSE 0 END) AS DOUBLE)`;
}

const ORDERS = `SELECT identifier_id AS "identifierId", source, coalesce(order_id, 'message ' || message_id) AS "orderId",
    min(CASE WHEN ${IS_ORDER} THEN occurred_at_ms END) AS "orderedAt", max(occurred_at_ms) AS "lastAt", min(currency) AS currency,
    sum(CASE WHEN ${IS_ORDER} THEN 1 ELSE 0 END) AS "lineCount",
    ${sumOf(IS_ORDER, "coalesce(quantity, 1)")} AS quantity,
    ${sumOf(IS_ORDER, "coalesce(quantity, 1) * coalesce(price, 0)")} AS amount,
    ${sumOf(IS_PART, "abs(coalesce(quantity, 1))")} AS "refundedQuantity",
    ${sumOf(IS_REFUND, "abs(coalesce(quantity, 1) * coalesce(price, 0))")} AS "refundedAmount",
    max(CASE WHEN ${IS_WHOLE} THEN 1 ELSE 0 END) AS "isCancelled"
  FROM owned WHERE ${IS_ORDER} OR ${IS_REFUND} GROUP BY ALL`;

/** What may stay at hand of these files; whatever else an identifier has is not known here (trim-store.ts). */
const RECENT = `SELECT CAST(identifier_id AS DOUBLE) AS "identifierId", occurred_at_ms AS "occurredAt", source, message_id AS "messageId", line,
    known_at_ms AS "knownAt", type, event, channel, order_id AS "orderId", product_id AS "productId", product_name AS "productName",
    quantity, price, currency, category, device, campaign, ${personSql()} AS person, CAST(coalesce(is_claim, false) AS INTEGER) AS "isClaim"
  FROM owned
  WINDOW latest AS (PARTITION BY identifier_id, coalesce(${IS_ORDER_LINE}, false) ORDER BY occurred_at_ms DESC, source DESC, message_id DESC, line DESC)
  QUALIFY ${IS_ORDER_LINE} OR row_number() OVER latest <= ${LINES_MIN}
    OR (row_number() OVER latest <= ${LINES_MAX} AND occurred_at_ms >= first_value(occurred_at_ms) OVER latest - ${LINES_AGE_MS})
  ORDER BY identifier_id, occurred_at_ms, source, message_id, line`;

/** Rows of a query as objects, a chunk at a time. */
async function* batches<T>(
  duckdb: DuckDb,
  sql: string,
  read: (row: SqlRow) => T,
): AsyncGenerator<T[]> {
  for await (const rows of duckdb.rowChunks(sql)) {
    yield rows.map(read);
  }
}

function groupOf(row: SqlRow): { readonly group: number; readonly line: SeenLine } {
  return { group: Number(row["number"]), line: lineOf(row) };
}

function lineOf(row: SqlRow): SeenLine {
  const text = (name: string): string | null =>
    row[name] === null || row[name] === undefined ? null : String(row[name]);
  return {
    source: String(row["source"]),
    messageId: String(row["message_id"]),
    line: 0,
    type: "track",
    event: text("event"),
    occurredAt: Number(row["occurred_at_ms"]),
    knownAt: Number(row["known_at_ms"]),
    userId: text("user_id"),
    anonymousId: text("anonymous_id"),
    orderId: null,
    productId: null,
    productName: null,
    quantity: null,
    price: null,
    currency: null,
    channel: null,
    campaign: null,
    identifiers: text("identifiers"),
    traits: text("traits"),
    consent: text("consent"),
    isClaim: row["is_claim"] === true,
    category: null,
    device: null,
  };
}
