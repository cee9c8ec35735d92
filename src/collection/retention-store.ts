import { rmSync } from "node:fs";
import {
  type Clock,
  type DuckDb,
  type Store,
  statementOf,
  writeTurns,
  writeWhenFree,
} from "../base/index.ts";
import { historySql } from "./history-store.ts";
import { dropQuarantined } from "./quarantine-store.ts";
import {
  keptFrom,
  parseRetention,
  type RetentionPolicy,
  type RetentionRule,
  retentionRules,
} from "./retention.ts";
import { rewriteHistory } from "./rewrite-store.ts";

const SETTING = "retention";

/** The policy that holds, and since when it was declared; null for the default one. */
export interface DeclaredRetention {
  readonly policy: RetentionPolicy;
  readonly declaredAt: number | null;
}

/** The policy of a store: the declared one, else the default. */
export function readRetention(store: Store): DeclaredRetention {
  const row = store.sqlite
    .prepare<[string], { value: string; updated_at: number }>(
      "SELECT value, updated_at FROM setting WHERE name = ?",
    )
    .get(SETTING);
  return {
    policy: parseRetention(JSON.parse(row?.value ?? "{}")),
    declaredAt: row?.updated_at ?? null,
  };
}

/** Declares the policy from now on; nothing goes before it is run. Throws `invalid-input` naming the field. */
export function declareRetention(store: Store, clock: Clock, value: unknown): RetentionPolicy {
  const policy = parseRetention(value);
  store.sqlite
    .prepare(
      `INSERT INTO setting VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
    )
    .run(SETTING, JSON.stringify(policy), clock.now());
  return policy;
}

export interface RetentionOptions {
  /** Counts and changes nothing. */
  readonly dryRun?: boolean;
  /**
   * Makes what is needed in the session and returns the SQL of a relation of one column: the anonymous
   * ids whose person is known. Unless given: those that stand in a row with a user id or another identifier.
   */
  readonly knownVisitors?: (duckdb: DuckDb) => Promise<string>;
  /** The clock by which files were set aside; the given one unless it tells the end of the data. */
  readonly wallClock?: Clock;
}

/** What a run took away, or would. */
export interface RetentionReport {
  readonly dryRun: boolean;
  /** Event lines by rule; a line that two rules take is the first one's. */
  readonly rules: readonly {
    readonly name: string;
    readonly keep: string;
    readonly keptFrom: number;
    readonly rows: number;
  }[];
  readonly filesRewritten: number;
  readonly rejectedMessages: number;
  readonly rejectsFiles: number;
  /** Files that were set aside, which nobody missed. */
  readonly quarantinedFiles: number;
}

/**
 * Takes away what the policy keeps no longer, from the history's files and from what was refused. The
 * inbox is not looked at: what is old there goes at the first run after its seal. Call it as the only
 * writer.
 */
export async function runRetention(
  store: Store,
  clock: Clock,
  { dryRun = false, knownVisitors, wallClock = clock }: RetentionOptions = {},
): Promise<RetentionReport> {
  const { policy } = readRetention(store);
  const now = clock.now();
  const prepare = async (duckdb: DuckDb): Promise<void> => {
    const known = (await knownVisitors?.(duckdb)) ?? knownByHistory(store);
    await duckdb.run(`CREATE TEMP TABLE known_visitor AS SELECT * FROM ${known}`);
  };
  const rules = retentionRules(policy, now, "known_visitor");
  const counts = await countByRule(store, rules, prepare);
  const where = rules.map((rule) => rule.where).join(" OR ");
  const isAny = !dryRun && [...counts.values()].some((rows) => rows > 0);
  const rewritten = isAny ? await rewriteHistory(store, { where, prepare }) : [];
  return {
    dryRun,
    rules: rules.map(({ name, keep, keptFrom: from }) => ({
      ...{ name, keep, keptFrom: from },
      rows: counts.get(name) ?? 0,
    })),
    filesRewritten: rewritten.length,
    ...(await dropRejected(store, keptFrom(policy.rejected, now), dryRun)),
    quarantinedFiles: dropQuarantined(
      store,
      keptFrom(policy.quarantined, wallClock.now()) ?? Number.NEGATIVE_INFINITY,
      dryRun,
    ),
  };
}

function knownByHistory(store: Store): string {
  return `(SELECT DISTINCT anonymous_id FROM ${historySql(store)}
    WHERE anonymous_id IS NOT NULL AND (user_id IS NOT NULL OR coalesce(identifiers, '[]') <> '[]'))`;
}

async function countByRule(
  store: Store,
  rules: readonly RetentionRule[],
  prepare: (duckdb: DuckDb) => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  if (rules.length === 0) {
    return new Map();
  }
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 600 });
  try {
    await prepare(duckdb);
    const cases = rules.map(({ where }, index) => `WHEN ${where} THEN ${index}`);
    const rows = await duckdb.rows(
      `SELECT rule, count(*) AS n FROM (SELECT CASE ${cases.join(" ")} END AS rule FROM ${historySql(store)})
       WHERE rule IS NOT NULL GROUP BY rule`,
    );
    return new Map(rows.map((row) => [rules[Number(row["rule"])]?.name ?? "", Number(row["n"])]));
  } finally {
    duckdb.close();
  }
}

async function dropRejected(
  store: Store,
  from: number | null,
  dryRun: boolean,
): Promise<Pick<RetentionReport, "rejectedMessages" | "rejectsFiles">> {
  if (from === null) {
    return { rejectedMessages: 0, rejectsFiles: 0 };
  }
  const files = store.sqlite
    .prepare<[number], string>(
      "SELECT rejects_file FROM import_run WHERE rejects_file IS NOT NULL AND finished_at < ?",
    )
    .pluck()
    .all(from);
  const messages = store.sqlite
    .prepare<[number], number>("SELECT count(*) FROM rejected_message WHERE received_at < ?")
    .pluck()
    .get(from);
  if (!dryRun) {
    for (const file of files) {
      rmSync(file, { force: true });
    }
    const forgetFiles = store.sqlite.prepare(
      "UPDATE import_run SET rejects_file = NULL WHERE rejects_file IS NOT NULL AND finished_at < ?",
    );
    await writeWhenFree(store.sqlite, () => forgetFiles.run(from));
    const forget = store.sqlite.prepare(
      "DELETE FROM rejected_message WHERE sequence IN (SELECT sequence FROM rejected_message WHERE received_at < ? LIMIT 20)",
    );
    await writeTurns(store, () => forget.run(from).changes > 0);
  }
  return { rejectedMessages: messages ?? 0, rejectsFiles: files.length };
}

const RUN = "retention-run";

/** When the policy was last applied by itself (epoch ms); null before a server ever ran. */
export function retentionRanAt(store: Store): number | null {
  const at = store.sqlite
    .prepare<[string], number>("SELECT updated_at FROM setting WHERE name = ?")
    .pluck()
    .get(RUN);
  return at ?? null;
}

/** Notes that the policy was applied, or that a server first ran. */
export function noteRetention(store: Store, now: number): void {
  store.sqlite.prepare("INSERT OR REPLACE INTO setting VALUES (?, 'null', ?)").run(RUN, now);
}

/** Whether any event ever came live. */
export function hasLiveEvents(store: Store): boolean {
  const last = statementOf<[], number>(
    store.sqlite,
    "SELECT seq FROM sqlite_sequence WHERE name = 'inbox'",
  )
    .pluck()
    .get();
  return (last ?? 0) > 0;
}
