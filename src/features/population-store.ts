import {
  type Clock,
  DAY_MS,
  type DuckDb,
  type Store,
  writeInTurns,
  writeTurns,
  writeWhenFree,
} from "../base/index.ts";
import { CATALOGUE, neededFor } from "./catalogue.ts";
import { duckDbDialect } from "./dialect.ts";
import type { Values } from "./expression.ts";
import { withFacts } from "./fact-session.ts";
import { ENTITY_KEYS, type FeatureView, isPopulation } from "./feature-view.ts";
import { atStartOfDay, populationSql } from "./rows-sql.ts";
import type { PopulationOf } from "./vector.ts";

/** What a materialisation did: for which day (epoch ms of its start), and how many products and categories. */
export interface Materialisation {
  readonly day: number;
  readonly rows: number;
}

const DAYS_KEPT = 2;

/**
 * Makes the features of products and categories, as known at the start of the UTC day of `asOf` (epoch ms),
 * ready for serving, all at once; where that day's are there already, does nothing.
 */
export async function materialisePopulation(
  store: Store,
  clock: Clock,
  asOf: number,
): Promise<Materialisation> {
  const { day } = atStartOfDay(asOf, duckDbDialect);
  const known = store.sqlite
    .prepare<[number], number>(
      "SELECT row_count FROM population_run WHERE day_ms = ? AND is_ready = 1",
    )
    .pluck()
    .get(day);
  if (known !== undefined) {
    return { day, rows: known };
  }
  const names = populationNames();
  const vectors = await withFacts(store, (duckdb) => readVectors(duckdb, day, names));
  await writeVectors(store, clock, day, names, vectors);
  return { day, rows: vectors.size };
}

/** The population features that views compute, in their order. */
function populationNames(): string[] {
  return CATALOGUE.views
    .filter(({ entity }) => isPopulation(entity))
    .flatMap(({ features }) => features.map(({ name }) => name));
}

async function readVectors(
  duckdb: DuckDb,
  day: number,
  names: readonly string[],
): Promise<Map<string, Float64Array>> {
  const vectors = new Map<string, Float64Array>();
  const places = new Map(names.map((name, index) => [name, index]));
  const { instants } = atStartOfDay(day, duckDbDialect);
  for (const needed of neededFor(names).views) {
    const key = keyColumn(needed.view);
    const columns = needed.features.map(({ name }) => name);
    const sql = populationSql(needed, day, instants);
    const select = `SELECT ${key}, ${columns.map((name) => `CAST(${name} AS DOUBLE)`).join(", ")} FROM (${sql}) v`;
    for await (const [keys = [], ...values] of duckdb.chunks(select)) {
      keys.forEach((one, row) => {
        const id = `${needed.view.entity}\n${String(one)}`;
        const vector = vectors.get(id) ?? new Float64Array(names.length).fill(Number.NaN);
        vectors.set(id, vector);
        columns.forEach((name, column) => {
          vector[places.get(name) ?? 0] = Number(values[column]?.[row] ?? Number.NaN);
        });
      });
    }
  }
  return vectors;
}

function keyColumn(view: FeatureView): string {
  const [key = ""] = ENTITY_KEYS[view.entity];
  return key;
}

/** Stores a day's vectors in turns, then lets them serve; earlier days than those that are kept go in turns. */
async function writeVectors(
  store: Store,
  clock: Clock,
  day: number,
  names: readonly string[],
  vectors: ReadonlyMap<string, Float64Array>,
): Promise<void> {
  const { sqlite } = store;
  await removeUnready(store);
  await writeWhenFree(sqlite, () =>
    sqlite
      .prepare("INSERT INTO population_run VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING")
      .run(day, JSON.stringify(names), vectors.size, clock.now()),
  );
  const insert = sqlite.prepare(
    `INSERT OR REPLACE INTO population_feature SELECT @day, @entity, @key, @vector
     WHERE EXISTS (SELECT 1 FROM population_run WHERE day_ms = @day AND is_ready = 0)`,
  );
  await writeInTurns(store, [...vectors], ([id, vector]) => {
    const [entity = "", ...key] = id.split("\n");
    insert.run({ day, entity, key: key.join("\n"), vector: Buffer.from(vector.buffer) });
  });
  await store.flush();
  await writeWhenFree(sqlite, () => {
    sqlite.prepare("UPDATE population_run SET is_ready = 1 WHERE day_ms = ?").run(day);
    sqlite
      .prepare(
        "UPDATE population_run SET is_ready = 0 WHERE day_ms NOT IN (SELECT day_ms FROM population_run ORDER BY day_ms DESC LIMIT ?)",
      )
      .run(DAYS_KEPT);
  });
  await removeUnready(store);
}

/** Removes days that serve no longer, and what an interrupted materialisation left. */
async function removeUnready(store: Store): Promise<void> {
  const { sqlite } = store;
  const next = sqlite
    .prepare<[], number>("SELECT day_ms FROM population_run WHERE is_ready = 0 LIMIT 1")
    .pluck();
  const removeRows = sqlite.prepare(
    `DELETE FROM population_feature WHERE day_ms = @day AND (entity, key) IN (
       SELECT entity, key FROM population_feature WHERE day_ms = @day LIMIT 20)`,
  );
  const removeRun = sqlite.prepare("DELETE FROM population_run WHERE day_ms = ?");
  await writeTurns(store, () => {
    const day = next.get();
    if (day !== undefined && removeRows.run({ day }).changes === 0) {
      removeRun.run(day);
    }
    return day !== undefined;
  });
}

/** The population as known at the start of a day, and which day that is; null where none was made ready. */
export interface Population {
  readonly day: number | null;
  readonly of: PopulationOf;
}

/** Reads the latest population of a day at or before that of an instant, through statements that are prepared once. */
export function openPopulation({ sqlite }: Store): (instant: number) => Population {
  const latest = sqlite.prepare<[number], { readonly day: number; readonly features: string }>(
    "SELECT day_ms AS day, features FROM population_run WHERE day_ms <= ? AND is_ready = 1 ORDER BY day_ms DESC LIMIT 1",
  );
  const read = sqlite
    .prepare<[number, string, string], Buffer>(
      "SELECT vector FROM population_feature WHERE day_ms = ? AND entity = ? AND key = ?",
    )
    .pluck();
  return (instant) => {
    const run = latest.get(instant - (instant % DAY_MS));
    if (run === undefined) {
      return { day: null, of: () => undefined };
    }
    const names = JSON.parse(run.features) as string[];
    return {
      day: run.day,
      of: (entity, key) => {
        const vector = read.get(run.day, entity, key);
        return vector === undefined ? undefined : valuesOf(names, vector);
      },
    };
  };
}

function valuesOf(names: readonly string[], vector: Buffer): Values {
  return Object.fromEntries(
    names.map((name, index) => {
      const value = vector.readDoubleLE(8 * index);
      return [name, Number.isNaN(value) ? null : value];
    }),
  );
}
