import { type Store, writeWhenFree } from "../base/index.ts";
import { learnMessages } from "./message-store.ts";

interface PendingImport {
  readonly id: string;
  readonly rows: number;
}

/** Tells the imports of a source whose messages the live path does not know yet. */
export function openPendingImports(store: Store): (source: string) => readonly PendingImport[] {
  const read = store.sqlite.prepare<[string], PendingImport>(
    `SELECT id, rows_accepted AS rows FROM import_run r WHERE source = ? AND rows_accepted > 0
       AND NOT EXISTS (SELECT 1 FROM known_import k WHERE k.import_run_id = r.id)`,
  );
  return (source) => read.all(source);
}

/**
 * Makes the messages that imports of a source brought known to the live path, so that it answers them with
 * `duplicate`. In bounded memory and in turns, between which others write; once per import.
 */
export async function learnImports(store: Store, source: string): Promise<void> {
  const pending = openPendingImports(store)(source);
  if (pending.length === 0) {
    return;
  }
  const { sqlite } = store;
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  try {
    await learnMessages(duckdb, store, filesOf(store, source, pending), source);
  } finally {
    duckdb.close();
  }
  await writeWhenFree(sqlite, () => {
    const done = sqlite.prepare("INSERT INTO known_import VALUES (?) ON CONFLICT DO NOTHING");
    for (const { id } of pending) {
      done.run(id);
    }
  });
}

/** The files that hold the imports: their own, or any of the source where files were put together. */
function filesOf(store: Store, source: string, pending: readonly PendingImport[]): string[] {
  const files = store.sqlite
    .prepare<[string], { name: string; importRunId: string | null }>(
      `SELECT name, import_run_id AS importRunId FROM history_file
       WHERE source = ? OR source IS NULL ORDER BY rowid`,
    )
    .all(source);
  const runs = new Set(pending.map(({ id }) => id));
  const own = files.filter(({ importRunId }) => importRunId !== null && runs.has(importRunId));
  const found = new Set(own.map(({ importRunId }) => importRunId));
  return (found.size === runs.size ? own : files).map(({ name }) => name);
}
