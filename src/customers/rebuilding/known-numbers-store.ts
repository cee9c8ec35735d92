import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DuckDbError, literal, type Store, writeTransaction } from "../../base/index.ts";
import { SNAPSHOT_NAME } from "../snapshot-store.ts";

/** Before any event: whoever is seen takes the place of what was only kept free. */
const NEVER_SEEN = Number.MAX_SAFE_INTEGER;

const NUMBERS_PER_TURN = 2_000;

/**
 * Keeps customers' numbers as the latest snapshot of who is who has them: one identifier of each customer gets the customer's
 * number before anything is resolved, and every other identifier a higher one. Returns how many; 0 where there is no
 * snapshot that can be read.
 */
export async function keepNumbers(store: Store): Promise<number> {
  const name = snapshotNames(store).at(-1);
  if (name === undefined) {
    return 0;
  }
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  const add = store.sqlite.prepare(
    "INSERT INTO identifier (id, type, value, source, first_seen_at) VALUES (?, ?, ?, '', ?)",
  );
  let kept = 0;
  try {
    const rows = duckdb.chunks(
      `SELECT customer_id, type, value FROM read_parquet(${literal(join(store.path("customers"), name))})
       QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY type DESC, value) = 1 ORDER BY customer_id`,
    );
    for await (const [ids = [], types = [], values = []] of rows) {
      for (let from = 0; from < ids.length; from += NUMBERS_PER_TURN) {
        writeTransaction(store.sqlite, () => {
          for (let at = from; at < Math.min(from + NUMBERS_PER_TURN, ids.length); at++) {
            add.run(Number(ids[at]), types[at], values[at], NEVER_SEEN);
            kept++;
          }
        });
      }
    }
  } catch (error) {
    if (!(error instanceof DuckDbError)) {
      throw error;
    }
    // A damaged snapshot: customers get new numbers.
    store.sqlite.prepare("DELETE FROM identifier").run();
    kept = 0;
  } finally {
    duckdb.close();
  }
  return kept;
}

/** Removes what was kept free for customers of whom the history says nothing. Returns how many. */
export function dropUnseen({ sqlite }: Store): number {
  return sqlite
    .prepare("DELETE FROM identifier WHERE customer_id IS NULL AND first_seen_at = ?")
    .run(NEVER_SEEN).changes;
}

/** Removes snapshots of databases that were before. */
export function dropOldSnapshots(store: Store, current: string | undefined): void {
  for (const name of snapshotNames(store)) {
    if (join(store.path("customers"), name) !== current) {
      rmSync(join(store.path("customers"), name), { force: true });
    }
  }
}

function snapshotNames(store: Store): string[] {
  const folder = join(store.folder, "customers");
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => SNAPSHOT_NAME.test(name))
        .sort()
    : [];
}
