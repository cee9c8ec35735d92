import { type Clock, ServiceError, type Store, toIso, writeTransaction } from "../base/index.ts";
import { addSource } from "./history-store.ts";
import { segmentMapping } from "./mapping.ts";
import { parseSourceRules, type SourceRulesText } from "./source-rules.ts";

/** A source with its rules for live events; null where nobody stated any. */
export interface SourceWithRules {
  readonly source: string;
  readonly rules: SourceRulesText | null;
  /** ISO 8601 in UTC; null without rules. */
  readonly rulesUpdatedAt: string | null;
  /** Write keys that are not revoked. */
  readonly keys: number;
}

interface Row {
  readonly source: string;
  readonly rules: string | null;
  readonly updatedAt: number | null;
  readonly keys: number;
}

/** Every source by name, from files and live. */
export function listSources(store: Store): SourceWithRules[] {
  return store.sqlite
    .prepare<[], Row>(
      `SELECT s.name AS source, r.rules, r.updated_at AS updatedAt,
              (SELECT count(*) FROM write_key k WHERE k.source = s.name AND k.revoked_at IS NULL) AS keys
       FROM source s LEFT JOIN source_rules r ON r.source = s.name ORDER BY s.name`,
    )
    .all()
    .map(({ source, rules, updatedAt, keys }) => ({
      source,
      rules: rules === null ? null : parseSourceRules(JSON.parse(rules)),
      rulesUpdatedAt: updatedAt === null ? null : toIso(updatedAt),
      keys,
    }));
}

/** One source. Throws `not-found`. */
export function findSource(store: Store, source: string): SourceWithRules {
  const found = listSources(store).find((one) => one.source === source);
  if (found === undefined) {
    throw new ServiceError("not-found", `source: there is no source "${source}"`, {
      field: "source",
    });
  }
  return found;
}

/** States a source's rules in place of earlier ones, and makes the source where it is new. */
export function setSourceRules(
  store: Store,
  clock: Clock,
  source: string,
  rules: SourceRulesText,
): SourceWithRules {
  const now = clock.now();
  writeTransaction(store.sqlite, () => {
    addSource(store, source, JSON.stringify(segmentMapping(source)), now);
    store.sqlite
      .prepare(
        `INSERT INTO source_rules VALUES (?, ?, ?)
           ON CONFLICT (source) DO UPDATE SET rules = excluded.rules, updated_at = excluded.updated_at`,
      )
      .run(source, JSON.stringify(rules), now);
  });
  return findSource(store, source);
}
