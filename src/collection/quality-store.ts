import { ServiceError, type Store, toIso } from "../base/index.ts";
import { type CountRow, qualityOf, type SourceQuality } from "./quality.ts";

export interface QualityRequest {
  /** One source; all unless given. */
  readonly source?: string;
  /** What arrived on this UTC day or later, from the instant's day on; epoch milliseconds. */
  readonly since?: number;
}

/** What came of each source and how good it was, live and in files. Throws `not-found` for an unknown source. */
export function readQuality(store: Store, request: QualityRequest = {}): SourceQuality[] {
  const sources = store.sqlite
    .prepare<[], string>("SELECT name FROM source ORDER BY name")
    .pluck()
    .all()
    .filter((name) => request.source === undefined || name === request.source);
  if (request.source !== undefined && sources.length === 0) {
    throw new ServiceError("not-found", `source: there is no source "${request.source}"`, {
      field: "source",
    });
  }
  const since = request.since === undefined ? "" : toIso(request.since).slice(0, 10);
  return qualityOf([...liveCounts(store, since), ...importCounts(store, since)], sources);
}

function liveCounts({ sqlite }: Store, since: string): CountRow[] {
  return sqlite
    .prepare<[string], CountRow>(
      `SELECT source, 'live' AS origin, kind, name, sum(count) AS count, min(day) AS firstDay, max(day) AS lastDay
       FROM message_count WHERE day >= ? GROUP BY source, kind, name`,
    )
    .all(since);
}

/** The totals of imports, and by kind where the imports counted them. */
function importCounts({ sqlite }: Store, since: string): CountRow[] {
  const day = "strftime('%Y-%m-%d', r.finished_at / 1000, 'unixepoch')";
  const total = (kind: string, column: string): string =>
    `SELECT r.source, '${kind}' AS kind, '' AS name, r.${column} AS count, ${day} AS day FROM import_run r`;
  const counted = sqlite
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'import_count'")
    .get();
  const parts = [
    total("accepted", "rows_accepted"),
    total("duplicate", "rows_duplicate"),
    total("rejected", "rows_rejected"),
    ...(counted === undefined
      ? []
      : [
          `SELECT r.source, c.kind, c.name, c.count, ${day} AS day
           FROM import_count c JOIN import_run r ON r.id = c.import_run_id`,
        ]),
  ];
  return sqlite
    .prepare<[string], CountRow>(
      `SELECT source, 'import' AS origin, kind, name, sum(count) AS count, min(day) AS firstDay, max(day) AS lastDay
       FROM (${parts.join(" UNION ALL ")}) WHERE day >= ? GROUP BY source, kind, name`,
    )
    .all(since);
}
