import { DAY_MS, type DuckDb, type SqlValue, type Store } from "../base/index.ts";
import { withFacts } from "./fact-session.ts";

/** Which instants are wanted; times in epoch ms. */
export interface MomentRequest {
  /** Instants of [from, until). */
  readonly from: number;
  readonly until: number;
  /** What became known at or after it is not seen, neither what was looked at nor what was ordered. */
  readonly knownBefore: number;
  /** Of one visit, at most so many, drawn at random. */
  readonly perVisit: number;
  /** How long after the last event somebody still counts as away rather than gone; days. */
  readonly poolDays: number;
  readonly seed: number;
}

/** Instants at which somebody is asked about, and what came of it; parallel arrays. */
export interface VisitMoments {
  readonly rows: number;
  readonly customers: Int32Array;
  /** Just after the event was known: all that was known strictly before it is seen. Epoch ms. */
  readonly cutoffs: Float64Array;
  /** When the next order was placed; Infinity where none was seen. Epoch ms. */
  readonly orders: Float64Array;
  /** How many instants each stands for. */
  readonly weights: Float64Array;
  /** 1 in the middle of a visit, 0 between visits. */
  readonly isVisiting: Uint8Array;
  /** Where it happened; null where it was not said, and between visits. */
  readonly channels: readonly (string | null)[];
}

/**
 * Instants of visits, just after an event as serving sees it, and instants between visits: of each customer one at
 * random in each week in which the last event was less than `poolDays` ago. An instant at which an order was placed
 * is none: that is the goal. What was known more than an hour after it happened (files, clocks that were wrong) is no
 * visit as serving sees it.
 */
export async function visitMoments(store: Store, request: MomentRequest): Promise<VisitMoments> {
  return withFacts(store, async (duckdb) => {
    await createTables(duckdb, request);
    const [row] = await duckdb.rows("SELECT count(*) AS n FROM drawn");
    const rows = Number(row?.["n"]);
    const moments = emptyMoments(rows);
    let offset = 0;
    const chunks = duckdb.chunks(
      `SELECT d.customer_id, d.cutoff_ms, o.at_ms, d.weight, d.visiting, d.channel FROM drawn d
       ASOF LEFT JOIN ordered o ON o.customer_id = d.customer_id AND d.cutoff_ms <= o.at_ms
       ORDER BY d.cutoff_ms, d.customer_id, d.visiting`,
    );
    for await (const columns of chunks) {
      fill(moments, columns, offset);
      offset += columns[0]?.length ?? 0;
    }
    return moments;
  });
}

type WritableMoments = VisitMoments & { readonly channels: (string | null)[] };

function emptyMoments(rows: number): WritableMoments {
  return {
    rows,
    customers: new Int32Array(rows),
    cutoffs: new Float64Array(rows),
    orders: new Float64Array(rows),
    weights: new Float64Array(rows),
    isVisiting: new Uint8Array(rows),
    channels: new Array<string | null>(rows).fill(null),
  };
}

/** Copies a chunk in from row `offset` on. */
function fill(moments: WritableMoments, columns: readonly SqlValue[][], offset: number): void {
  const [customers = [], cutoffs = [], orders = [], weights = [], visiting = [], channels = []] =
    columns;
  moments.customers.set(customers.map(Number), offset);
  moments.cutoffs.set(cutoffs.map(Number), offset);
  moments.orders.set(
    orders.map((order) => Number(order ?? Number.POSITIVE_INFINITY)),
    offset,
  );
  moments.weights.set(weights.map(Number), offset);
  moments.isVisiting.set(visiting.map(Number), offset);
  channels.forEach((channel, index) => {
    moments.channels[offset + index] = channel === null ? null : String(channel);
  });
}

const HOUR_MS = 3_600_000;
const SILENCE_MS = 1_800_000;
const WEEK_MS = 7 * DAY_MS;

async function createTables(duckdb: DuckDb, request: MomentRequest): Promise<void> {
  const { from, until, knownBefore, perVisit, poolDays, seed } = request;
  const pool = poolDays * DAY_MS;
  await duckdb.run(
    `CREATE TEMP TABLE ordered AS SELECT DISTINCT customer_id, occurred_at_ms AS at_ms FROM fact
     WHERE kind = 'order' AND occurred_at_ms >= ${from} AND known_at_ms < ${knownBefore}`,
  );
  // An event is seen by whoever stands one millisecond later.
  await duckdb.run(
    `CREATE TEMP TABLE moment AS
     SELECT customer_id, max(seen_ms) + 1 AS cutoff_ms, max(channel) AS channel FROM (
       SELECT customer_id, occurred_at_ms, greatest(occurred_at_ms, known_at_ms) AS seen_ms, channel FROM fact
       WHERE kind = 'browse' AND occurred_at_ms >= ${from - pool} AND occurred_at_ms < ${until}
         AND known_at_ms < ${Math.min(until, knownBefore)} AND known_at_ms - occurred_at_ms <= ${HOUR_MS})
     GROUP BY customer_id, occurred_at_ms`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE visit AS
     SELECT *, sum(CASE WHEN silence <= ${SILENCE_MS} THEN 0 ELSE 1 END) OVER (PARTITION BY customer_id ORDER BY cutoff_ms) AS visit FROM (
       SELECT *, cutoff_ms - lag(cutoff_ms) OVER (PARTITION BY customer_id ORDER BY cutoff_ms) AS silence FROM moment) m`,
  );
  const chance = (columns: string): string => `hash(${columns}, ${seed})`;
  const isGoal =
    "EXISTS (SELECT 1 FROM ordered o WHERE o.customer_id = v.customer_id AND o.at_ms + 1 = v.cutoff_ms)";
  await duckdb.run(
    `CREATE TEMP TABLE drawn AS
     SELECT customer_id, cutoff_ms, n / CAST(least(n, ${perVisit}) AS DOUBLE) AS weight, 1 AS visiting, channel FROM (
       SELECT *, count(*) OVER (PARTITION BY customer_id, visit) AS n,
              row_number() OVER (PARTITION BY customer_id, visit ORDER BY ${chance("customer_id, cutoff_ms")}, cutoff_ms) AS place
       FROM visit v WHERE cutoff_ms >= ${from} AND NOT ${isGoal})
     WHERE place <= ${perVisit}
     UNION ALL
     SELECT w.customer_id, w.cutoff_ms, 1, 0, NULL FROM (
       SELECT c.customer_id, weeks.at_ms + CAST(${chance("c.customer_id, weeks.at_ms")} % ${WEEK_MS} AS BIGINT) AS cutoff_ms
       FROM (SELECT DISTINCT customer_id FROM moment) c, (SELECT unnest(range(${from}, ${until}, ${WEEK_MS})) AS at_ms) weeks) w
     ASOF JOIN moment m ON m.customer_id = w.customer_id AND w.cutoff_ms >= m.cutoff_ms
     WHERE w.cutoff_ms < ${Math.min(until, knownBefore)} AND w.cutoff_ms - m.cutoff_ms < ${pool}`,
  );
}
