import type { Store } from "../base/index.ts";
import type { HistoryFile, ImportRun } from "./history-store.ts";
import { changeManifest, recordImport } from "./manifest-change-store.ts";

/** How often an import met something: lines per event name, rejects per reason and so on. */
export interface ImportCount {
  readonly kind: string;
  readonly name: string;
  readonly count: number;
}

/** Makes an import visible with its counts, all at once. */
export function recordCountedImport(
  store: Store,
  mapping: { readonly source: string; readonly json: string },
  run: ImportRun,
  file: HistoryFile | null,
  counts: readonly ImportCount[],
): void {
  changeManifest(store, () => {
    recordImport(store, mapping, run, file);
    const insert = store.sqlite.prepare("INSERT INTO import_count VALUES (?, ?, ?, ?)");
    for (const { kind, name, count } of counts) {
      insert.run(run.id, kind, name, count);
    }
  });
}
