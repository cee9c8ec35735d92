import {
  ServiceError,
  type Sqlite,
  type Store,
  type Turns,
  toIso,
  writeInTurns,
  writeTurns,
  writeWhenFree,
} from "../base/index.ts";
import { refuseProfilingDenied } from "../customers/index.ts";
import type { ModelName } from "../models/index.ts";

/** The stamps that every answer carries: how fresh it is and who said it. ISO 8601. */
export interface Freshness {
  readonly modelVersion: string;
  /** The instant the answer pretends is now. */
  readonly asOf: string;
  /** The last event the data hold. */
  readonly dataThrough: string;
  readonly computedAt: string;
}

/** What a person reads beside a probability; days and counts as of `asOf`. */
export type Facts = Readonly<Record<string, number | null>>;

/**
 * One prediction. `probabilities` are per interval from `asOf` on, and last "later or never" (for
 * intent: an order, none); `percentile` is the share of predictions at or below this one, in [0, 1].
 */
export interface Prediction {
  readonly customerId: number;
  /** Empty for a model of customers. */
  readonly product: string;
  readonly productName: string | null;
  readonly probabilities: readonly number[];
  readonly percentile: number;
  readonly facts: Facts;
}

export interface PredictionRun extends Freshness {
  readonly id: number;
  readonly model: ModelName;
  readonly rows: number;
  readonly asOfMs: number;
  readonly dataThroughMs: number;
  /** What answered: the network, or the baseline that serves instead. */
  readonly system: string;
  /** What there was too little of for the network to serve, "had X, needs Y"; empty where there was enough. */
  readonly missing: readonly string[];
}

export interface NewRun {
  readonly model: ModelName;
  readonly versionId: string;
  readonly asOf: number;
  readonly dataThrough: number;
  readonly computedAt: number;
}

export interface NewPrediction {
  readonly customerId: number;
  readonly product: string;
  readonly probabilities: readonly number[];
  readonly percentile: number;
  readonly facts: Facts;
}

/**
 * Publishes a run: readers see the previous one until the very transaction that shows all of this one. The rows are
 * written in turns before, and those of the previous run go in turns afterwards; what an interrupted publication left goes
 * with them. Whoever was erased meanwhile is left out. Throws `conflict` where another run of the model was published
 * meanwhile.
 */
export async function publishRun(
  store: Store,
  run: NewRun,
  predictions: readonly NewPrediction[],
  turns?: Turns,
): Promise<number> {
  const { sqlite } = store;
  await removeRuns(store, run.model, turns);
  const id = await writeWhenFree(sqlite, () => addRun(sqlite, run));
  const exists = sqlite
    .prepare<[number], number>("SELECT 1 FROM prediction_run WHERE id = ?")
    .pluck();
  const check = (): void => {
    if (exists.get(id) === undefined) {
      throw new ServiceError(
        "conflict",
        `${run.model}: another run was published while this one was being stored; score again`,
      );
    }
  };
  const insert = sqlite.prepare(
    `INSERT INTO prediction SELECT @id, @customerId, @product, @probabilities, @percentile, @facts
     WHERE EXISTS (SELECT 1 FROM customer WHERE id = @customerId)`,
  );
  let rows = 0;
  const add = (one: NewPrediction): void => {
    check();
    rows += insert.run({
      ...one,
      id,
      probabilities: JSON.stringify(one.probabilities.map((p) => Number(p.toPrecision(6)))),
      facts: JSON.stringify(one.facts),
    }).changes;
  };
  await writeInTurns(store, predictions, add, turns);
  await store.flush();
  await writeWhenFree(sqlite, () => {
    check();
    sqlite.prepare("UPDATE prediction_run SET is_current = 0 WHERE model = ?").run(run.model);
    sqlite
      .prepare("UPDATE prediction_run SET is_current = 1, row_count = ? WHERE id = ?")
      .run(rows, id);
  });
  await removeRuns(store, run.model, turns);
  return id;
}

/** A run that nobody sees yet. */
function addRun(sqlite: Sqlite, run: NewRun): number {
  const { model, versionId, asOf, dataThrough, computedAt } = run;
  const { lastInsertRowid } = sqlite
    .prepare(
      `INSERT INTO prediction_run (model, version_id, as_of, data_through, computed_at, row_count, is_current)
       VALUES (?, ?, ?, ?, ?, 0, 0)`,
    )
    .run(model, versionId, asOf, dataThrough, computedAt);
  return Number(lastInsertRowid);
}

/** Removes the runs of a model that nobody sees, in turns. */
async function removeRuns(store: Store, model: ModelName, turns: Turns | undefined): Promise<void> {
  const { sqlite } = store;
  const next = sqlite
    .prepare<[string], number>(
      "SELECT id FROM prediction_run WHERE model = ? AND is_current = 0 LIMIT 1",
    )
    .pluck();
  const removeRows = sqlite.prepare(
    `DELETE FROM prediction WHERE run_id = @id AND customer_id IN (
       SELECT customer_id FROM prediction WHERE run_id = @id LIMIT 20)`,
  );
  const removeRun = sqlite.prepare("DELETE FROM prediction_run WHERE id = ?");
  const step = (): boolean => {
    const id = next.get(model);
    if (id === undefined) {
      return false;
    }
    if (removeRows.run({ id }).changes === 0) {
      removeRun.run(id);
    }
    return true;
  };
  await writeTurns(store, step, turns);
}

/** Stores what products are called, for answers that people read. */
export async function replaceProductNames(
  store: Store,
  products: readonly { readonly product: string; readonly name: string | null }[],
): Promise<void> {
  const upsert = store.sqlite.prepare(
    "INSERT INTO product VALUES (?, ?) ON CONFLICT (product) DO UPDATE SET name = excluded.name",
  );
  await writeInTurns(store, products, ({ product, name }) => {
    upsert.run(product, name);
  });
}

interface RunRow {
  readonly id: number;
  readonly model: ModelName;
  readonly version_id: string;
  readonly as_of: number;
  readonly data_through: number;
  readonly computed_at: number;
  readonly row_count: number;
  readonly kind: string;
  /** JSON; null where the card tells none. */
  readonly missing: string | null;
}

/** The published run of a model, or undefined before the first scoring. */
export function currentRun(store: Store, model: ModelName): PredictionRun | undefined {
  const row = store.sqlite
    .prepare<[string], RunRow>(
      `SELECT r.*, v.kind, json_extract(v.card, '$.gate.missing') AS missing
       FROM prediction_run r JOIN model_version v ON v.id = r.version_id WHERE r.model = ? AND r.is_current = 1`,
    )
    .get(model);
  return row === undefined
    ? undefined
    : {
        id: row.id,
        model: row.model,
        modelVersion: row.version_id,
        asOf: toIso(row.as_of),
        dataThrough: toIso(row.data_through),
        computedAt: toIso(row.computed_at),
        rows: row.row_count,
        asOfMs: row.as_of,
        dataThroughMs: row.data_through,
        system: row.kind,
        missing: row.missing === null ? [] : (JSON.parse(row.missing) as string[]),
      };
}

interface PredictionRow {
  readonly customer_id: number;
  readonly product: string;
  readonly name: string | null;
  readonly probabilities: string;
  readonly percentile: number;
  readonly facts: string;
}

const SELECT = `SELECT p.customer_id, p.product, n.name, p.probabilities, p.percentile, p.facts
  FROM prediction p LEFT JOIN product n ON n.product = p.product`;

/**
 * A customer's predictions in a run, the most probable percentile first. Throws `forbidden` where the person
 * denied being analysed, also since the run was made.
 */
export function predictionsOf(store: Store, runId: number, customerId: number): Prediction[] {
  refuseProfilingDenied(store, customerId);
  return store.sqlite
    .prepare<[number, number], PredictionRow>(
      `${SELECT} WHERE p.run_id = ? AND p.customer_id = ? ORDER BY p.percentile DESC, p.product`,
    )
    .all(runId, customerId)
    .map(toPrediction);
}

/** Every prediction of a run, in order of customer and product, one at a time. */
export function* eachPrediction(store: Store, runId: number): Generator<Prediction> {
  const rows = store.sqlite
    .prepare<[number], PredictionRow>(
      `${SELECT} WHERE p.run_id = ? ORDER BY p.customer_id, p.product`,
    )
    .iterate(runId);
  for (const row of rows) {
    yield toPrediction(row);
  }
}

function toPrediction(row: PredictionRow): Prediction {
  return {
    customerId: row.customer_id,
    product: row.product,
    productName: row.name,
    probabilities: JSON.parse(row.probabilities) as number[],
    percentile: row.percentile,
    facts: JSON.parse(row.facts) as Facts,
  };
}
