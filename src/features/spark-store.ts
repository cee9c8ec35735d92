import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import {
  DAY_MS,
  literal,
  runSparkSql,
  ServiceError,
  type SparkWrite,
  type Store,
  shareOutput,
  sparkLiteral,
  viewStatement,
} from "../base/index.ts";
import type { BuildRequest } from "./build.ts";
import { CATALOGUE, type Catalogue, neededFor } from "./catalogue.ts";
import { sparkDialect } from "./dialect.ts";
import { FACT_COLUMNS } from "./fact.ts";
import { factsFolder } from "./facts.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";
import { ENTITY_KEYS, isPopulation } from "./feature-view.ts";
import { atCutoff } from "./instants.ts";
import {
  atStartOfDay,
  cutoffRowsParts,
  populationSql,
  populationTableName,
  type Table,
  withSql,
} from "./rows-sql.ts";
import { localConf, type SparkEngine, sparkTypes, writeFactsOnSpark } from "./spark-facts-store.ts";

/**
 * Writes the rows that `OfflineStore.build` would write for each request, computed by one Spark application over
 * the facts, which Spark makes, too, where the history is newer; returns their numbers. Each `file` becomes a folder
 * of Parquet files, whole or not at all, in the order of cutoffs and keys; DuckDB, Spark and pandas read it like
 * one file. Every machine of the cluster must see the store, and the folder in which `file` lies, under the same
 * paths. `onCutoff` is told after each cutoff of each request. Throws `conflict` where a `file` is there.
 */
export async function buildOnSpark(
  store: Store,
  requests: readonly BuildRequest[],
  engine: SparkEngine,
  onCutoff?: (done: number, total: number) => void,
): Promise<number[]> {
  const builds = requests.map((request) => buildOf(store, request));
  const facts = await factsFolder(store, {
    write: (folder) => writeFactsOnSpark(store, folder, engine),
  });
  const partitions = partitionsFor(facts);
  const cutoffs = builds.flatMap(({ request, work }) =>
    request.cutoffs.map((cutoff, index) =>
      cutoffStatements(request, cutoff, join(work, `cutoff-${index}`), partitions),
    ),
  );
  try {
    for (const { work } of builds) {
      mkdirSync(work, { recursive: true });
    }
    await runSparkSql({
      ...engine,
      conf: {
        ...localConf(engine.master),
        "spark.sql.shuffle.partitions": String(partitions),
        ...engine.conf,
      },
      statements: [
        factView(facts),
        ...cutoffs.flatMap((statements, index) => [
          ...statements,
          `SELECT ${sparkLiteral(`${DONE}${index + 1}`)}`,
        ]),
      ],
      onLine: (line) => {
        if (line.startsWith(DONE)) {
          onCutoff?.(Number(line.slice(DONE.length)), cutoffs.length);
        }
      },
      temporaryFolder: store.path("temporary"),
    });
    for (const { request, work, target } of builds) {
      gather(work, request.cutoffs.length);
      shareOutput(store.folder, work);
      renameSync(work, target);
    }
  } finally {
    for (const { work } of builds) {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return countRows(
    store,
    builds.map(({ target }) => target),
  );
}

/** A request, where its rows come to be, and until then. */
interface Build {
  readonly request: BuildRequest;
  readonly target: string;
  readonly work: string;
}

function buildOf(store: Store, request: BuildRequest): Build {
  featuresOf(request.service);
  const target = resolve(request.file);
  if (target.endsWith(".csv")) {
    throw new ServiceError("invalid-input", "out: Spark writes Parquet, not CSV", { field: "out" });
  }
  if (existsSync(target)) {
    throw new ServiceError("conflict", `there is something already: ${target}`, { field: "out" });
  }
  return { request, target, work: store.partial(target) };
}

const DONE = "cutoff done: ";

/** The view `fact`: partitions are columns, whatever the depth. */
function factView(folder: string): string {
  const kinds = readdirSync(folder).filter((name) => name.startsWith("kind="));
  const columns = sparkTypes(FACT_COLUMNS);
  if (kinds.length === 0) {
    const none = Object.entries(columns).map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`);
    return `CREATE OR REPLACE TEMPORARY VIEW fact AS SELECT ${none.join(", ")} WHERE 1 = 0`;
  }
  const files = kinds.map((name) => join(folder, name));
  return viewStatement({ name: "fact", files, columns, basePath: folder });
}

/**
 * What makes the rows of a cutoff. Spark computes a common table expression again for each of its readers, so
 * relations that several views read, and the spine, are kept, by customer: then neither grouping nor joining by
 * customer moves rows between machines again.
 */
function cutoffStatements(
  { service, spine, labels, catalogue = CATALOGUE }: BuildRequest,
  cutoff: number,
  folder: string,
  partitions: number,
): (string | SparkWrite)[] {
  const apart = populationApart(service, cutoff, catalogue);
  const { tables, select } = cutoffRowsParts(
    { service, cutoff, spine, ...(labels === undefined ? {} : { labels }) },
    atCutoff(cutoff, sparkDialect),
    catalogue,
  );
  const shared = new Set(["spine", ...catalogue.relations.map(({ name }) => name)]);
  const kept = tables.filter(([name]) => shared.has(name) && isReadTwice(name, tables));
  const keptNames = new Set(kept.map(([name]) => name));
  const order = ENTITY_KEYS[service.entity].map((key) => `c.${key}`).join(", ");
  return [
    ...apart.map(([name, sql]) => `CREATE OR REPLACE TEMPORARY VIEW ${name} AS ${sql}`),
    ...kept.map(([name, sql]) => {
      const hint =
        name !== "spine" || ENTITY_KEYS[service.entity].includes("customer_id")
          ? `/*+ REPARTITION(${partitions}, customer_id) */ `
          : "";
      return `CACHE TABLE ${name} AS ${readBy(sql, tables, keptNames)} SELECT ${hint}* FROM (${sql}) t`;
    }),
    { query: `${readBy(select, tables, keptNames)} ${select} ORDER BY ${order}`, folder },
    ...kept.map(([name]) => `UNCACHE TABLE ${name}`),
    ...kept.map(([name]) => `DROP VIEW ${name}`),
  ];
}

/** The tables that a query reads, itself or through others, as a WITH clause; what is kept is there already. */
function readBy(sql: string, tables: readonly Table[], kept: ReadonlySet<string>): string {
  const needed = new Set<Table>();
  let read = [sql];
  for (const table of [...tables].reverse()) {
    const [name, text] = table;
    if (!kept.has(name) && read.some((one) => reads(one, name))) {
      needed.add(table);
      read = [...read, text];
    }
  }
  const found = tables.filter((table) => needed.has(table));
  return found.length === 0 ? "" : withSql(found);
}

function reads(sql: string, name: string): boolean {
  return new RegExp(`\\b(?:FROM|JOIN) ${name}\\b`).test(sql);
}

/** Where a cutoff is not the start of a day, what is known of the population is that of its start. */
function populationApart(
  service: FeatureService,
  cutoff: number,
  catalogue: Catalogue,
): readonly Table[] {
  if (cutoff % DAY_MS === 0) {
    return [];
  }
  const { day, instants } = atStartOfDay(cutoff, sparkDialect);
  return neededFor(service.features, catalogue)
    .views.filter(({ view }) => isPopulation(view.entity))
    .map((one) => [populationTableName(one.view), populationSql(one, day, instants, catalogue)]);
}

function isReadTwice(name: string, tables: readonly Table[]): boolean {
  return tables.filter(([other, sql]) => other !== name && reads(sql, name)).length > 1;
}

/** So many bytes of facts make a partition; they are several times as many in memory. */
const PARTITION_BYTES = 8 * 2 ** 20;

function partitionsFor(facts: string): number {
  const bytes = readdirSync(facts, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  return Math.min(4000, Math.max(2, Math.ceil(bytes / PARTITION_BYTES)));
}

/** Brings the files of all cutoffs together, in the order of cutoffs. */
function gather(folder: string, cutoffs: number): void {
  const digits = String(cutoffs).length;
  for (let index = 0; index < cutoffs; index++) {
    const from = join(folder, `cutoff-${index}`);
    const place = String(index).padStart(digits, "0");
    for (const name of readdirSync(from).filter((file) => file.endsWith(".parquet"))) {
      renameSync(join(from, name), join(folder, `${place}-${basename(name)}`));
    }
    rmSync(from, { recursive: true });
  }
}

async function countRows(store: Store, folders: readonly string[]): Promise<number[]> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 200 });
  try {
    const counts: number[] = [];
    for (const folder of folders) {
      const files = literal(join(folder, "*.parquet"));
      const [row] = await duckdb.rows(`SELECT count(*) AS n FROM read_parquet(${files})`);
      counts.push(Number(row?.["n"]));
    }
    return counts;
  } finally {
    duckdb.close();
  }
}
