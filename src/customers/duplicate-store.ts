import {
  type Clock,
  ServiceError,
  type Store,
  writeInTurns,
  writeTransaction,
} from "../base/index.ts";
import {
  type Explanation,
  type ScoredPair,
  scoredPair,
  scoredPairsSql,
} from "./duplicates/explain.ts";
import { PERSON_FIELDS } from "./duplicates/fields.ts";
import { findDuplicates, type SkippedBlocks } from "./duplicates/find-store.ts";
import { customerOfIdentifier, personRecords } from "./person-store.ts";
import { decidePair } from "./unmerge-store.ts";

export type DuplicateStatus = "pending" | "joined" | "separated";

export const DUPLICATE_STATUSES: readonly DuplicateStatus[] = ["pending", "joined", "separated"];

/** A pair under review. Instants in epoch milliseconds. */
export interface Duplicate {
  readonly id: number;
  readonly leftIdentifierId: number;
  readonly rightIdentifierId: number;
  readonly matchWeight: number;
  readonly probability: number;
  readonly explanation: Explanation;
  readonly status: DuplicateStatus;
  readonly foundAt: number;
  readonly decidedAt: number | null;
  readonly decidedBy: string | null;
}

export interface SearchOptions {
  /** From this match weight on pairs are queued for review, in bits; 0 (as likely as not) unless given. */
  readonly reviewAbove?: number;
  /** From this match weight on pairs are joined at once; none are unless given. */
  readonly joinAbove?: number;
}

export interface SearchReport {
  readonly records: number;
  readonly candidates: number;
  /** Pairs that now wait for a decision. */
  readonly pending: number;
  readonly joined: number;
  /** Pairs above the threshold which the identity graph refused to join; they wait for a decision. */
  readonly refused: number;
  /** Keys that too many records share, such as a placeholder for an e-mail address. */
  readonly skipped: readonly SkippedBlocks[];
}

/**
 * Looks for customers that are probably one person, and queues the pairs for review. Decisions stay: what
 * a person separated does not come back, also not by another identifier of the same two customers.
 * Pending pairs that are no longer found go. Throws `invalid-input` for a join threshold below the review one.
 */
export async function searchDuplicates(
  store: Store,
  clock: Clock,
  options: SearchOptions = {},
): Promise<SearchReport> {
  const { reviewAbove = 0, joinAbove } = options;
  if (joinAbove !== undefined && joinAbove < reviewAbove) {
    throw new ServiceError(
      "invalid-input",
      `join-above: expected at least the review threshold ${reviewAbove}, got ${joinAbove}`,
      { field: "join-above" },
    );
  }
  const duckdb = await store.openDuckDb();
  try {
    const columns = PERSON_FIELDS.map((field) => `${field} VARCHAR`).join(", ");
    await duckdb.run(`CREATE TEMP TABLE person (record_id VARCHAR, ${columns})`);
    await duckdb.append("person", personRows(store));
    const found = await findDuplicates(duckdb, { fields: PERSON_FIELDS });
    const rows = await duckdb.rows(scoredPairsSql(reviewAbove));
    const pairs = rows.map((row) => scoredPair(row, found.parameters));
    await queue(store, clock, pairs);
    const outcome =
      joinAbove === undefined ? { joined: 0, refused: 0 } : joinAll(store, clock, joinAbove);
    const { records, candidates, skipped } = found;
    return { records, candidates, pending: countPending(store), ...outcome, skipped };
  } finally {
    duckdb.close();
  }
}

function* personRows(store: Store): Generator<(string | null)[]> {
  for (const { identifierId, person } of personRecords(store)) {
    yield [String(identifierId), ...PERSON_FIELDS.map((field) => person[field] ?? null)];
  }
}

async function queue(store: Store, clock: Clock, pairs: readonly ScoredPair[]): Promise<void> {
  const add = store.sqlite.prepare(
    `INSERT INTO duplicate (left_identifier_id, right_identifier_id, match_weight, probability, explanation, found_at)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (left_identifier_id, right_identifier_id) DO UPDATE
     SET match_weight = excluded.match_weight, probability = excluded.probability, explanation = excluded.explanation
     WHERE status = 'pending'`,
  );
  const separated = separatedCustomers(store);
  const isKept = new Set<string>();
  await writeInTurns(store, pairs, (pair) => {
    const ids = [Number(pair.leftId), Number(pair.rightId)].sort((a, b) => a - b);
    const customers = ids.map((id) => customerOfIdentifier(store, id) ?? 0);
    if (!separated.has(pairKey(customers))) {
      isKept.add(pairKey(ids));
      add.run(
        ...ids,
        pair.matchWeight,
        pair.probability,
        JSON.stringify(pair.explanation),
        clock.now(),
      );
    }
  });
  await removeStale(store, isKept);
}

function pairKey(ids: readonly number[]): string {
  return [...ids].sort((a, b) => a - b).join(" ");
}

function separatedCustomers(store: Store): Set<string> {
  const rows = store.sqlite
    .prepare<[], [number, number]>(
      `SELECT l.customer_id, r.customer_id FROM duplicate
       JOIN identifier AS l ON l.id = left_identifier_id JOIN identifier AS r ON r.id = right_identifier_id
       WHERE duplicate.status = 'separated'`,
    )
    .raw()
    .all();
  return new Set(rows.map(pairKey));
}

async function removeStale(store: Store, isKept: ReadonlySet<string>): Promise<void> {
  const pending = store.sqlite
    .prepare<[], [number, number, number]>(
      "SELECT id, left_identifier_id, right_identifier_id FROM duplicate WHERE status = 'pending'",
    )
    .raw()
    .all();
  // One that was decided meanwhile stays.
  const remove = store.sqlite.prepare("DELETE FROM duplicate WHERE id = ? AND status = 'pending'");
  const stale = pending.filter(([, left, right]) => !isKept.has(pairKey([left, right])));
  await writeInTurns(store, stale, ([id]) => {
    remove.run(id);
  });
}

/** Joins what reaches the threshold, the heaviest first; a pair that must not join stays pending. */
function joinAll(
  store: Store,
  clock: Clock,
  joinAbove: number,
): { readonly joined: number; readonly refused: number } {
  const ids = store.sqlite
    .prepare<[number], number>(
      "SELECT id FROM duplicate WHERE status = 'pending' AND match_weight >= ? ORDER BY match_weight DESC, id",
    )
    .pluck()
    .all(joinAbove);
  let refused = 0;
  for (const id of ids) {
    try {
      decideDuplicate(store, clock, {
        id,
        status: "joined",
        by: `threshold ${joinAbove}`,
        isAutomatic: true,
      });
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== "conflict") {
        throw error;
      }
      refused++;
    }
  }
  return { joined: ids.length - refused, refused };
}

function countPending(store: Store): number {
  return (
    store.sqlite
      .prepare<[], number>("SELECT count(*) FROM duplicate WHERE status = 'pending'")
      .pluck()
      .get() ?? 0
  );
}

export interface Decision {
  readonly id: number;
  readonly status: "joined" | "separated";
  /** Who decided: a person, or the threshold. */
  readonly by: string;
  /** Decided by no person: two accounts are not joined so. */
  readonly isAutomatic?: boolean;
}

/**
 * Joins or separates the two customers of a pair and records who decided; the last decision counts, and the
 * same one again changes nothing. Throws `not-found`, and `conflict` where the two must not join.
 */
export function decideDuplicate(
  store: Store,
  clock: Clock,
  { id, status, by, isAutomatic = false }: Decision,
): Duplicate {
  return writeTransaction(store.sqlite, () => {
    const pair = getDuplicate(store, id);
    if (pair.status === status) {
      return pair;
    }
    const reason = `duplicate ${id}: match weight ${pair.matchWeight.toFixed(1)}, decided by ${by}`;
    const ids = [pair.leftIdentifierId, pair.rightIdentifierId] as const;
    decidePair(store, clock, status === "joined" ? "join" : "separate", ids, {
      reason,
      isAutomatic,
    });
    store.sqlite
      .prepare("UPDATE duplicate SET status = ?, decided_at = ?, decided_by = ? WHERE id = ?")
      .run(status, clock.now(), by, id);
    return getDuplicate(store, id);
  });
}

type DuplicateRow = Omit<Duplicate, "explanation"> & { readonly explanation: string };

const COLUMNS = `SELECT id, left_identifier_id AS leftIdentifierId, right_identifier_id AS rightIdentifierId,
  match_weight AS matchWeight, probability, explanation, status, found_at AS foundAt, decided_at AS decidedAt,
  decided_by AS decidedBy FROM duplicate`;

/** A pair by its id. Throws `not-found`. */
export function getDuplicate(store: Store, id: number): Duplicate {
  const row = store.sqlite.prepare<[number], DuplicateRow>(`${COLUMNS} WHERE id = ?`).get(id);
  if (row === undefined) {
    throw new ServiceError("not-found", `there is no duplicate ${id}`, { field: "id" });
  }
  return withExplanation(row);
}

/** A page of pairs of a status, the heaviest first, those after a weight and id (exclusive). */
export function listDuplicates(
  store: Store,
  status: DuplicateStatus,
  limit: number,
  after: readonly [number, number] = [Number.MAX_VALUE, 0],
): Duplicate[] {
  return store.sqlite
    .prepare<[string, number, number, number, number], DuplicateRow>(
      `${COLUMNS} WHERE status = ? AND (match_weight < ? OR (match_weight = ? AND id > ?)) ORDER BY match_weight DESC, id LIMIT ?`,
    )
    .all(status, after[0], after[0], after[1], limit)
    .map(withExplanation);
}

function withExplanation(row: DuplicateRow): Duplicate {
  return { ...row, explanation: JSON.parse(row.explanation) as Explanation };
}
