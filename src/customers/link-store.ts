import type { Sqlite } from "../base/index.ts";
import { compareIdentifierTypes } from "../collection/index.ts";
import { type GraphLink, STORED_COLUMNS, type StoredIdentifier } from "./identity-graph.ts";
import type { IdentityRules } from "./identity-rules.ts";
import type { SeenLink } from "./observation.ts";

/** Everything that links connect with an identifier, and the pairs among it that are kept apart. */
export interface Component {
  readonly identifiers: readonly StoredIdentifier[];
  readonly links: readonly GraphLink[];
  readonly separations: readonly (readonly [number, number])[];
}

/** The links between identifiers. */
export interface LinkStore {
  /** Stores a link; returns the identifiers whose customers it may change. */
  add(link: SeenLink, from: number, to: number): readonly number[];
  /** Stores an operator's word that two identifiers are one person's. */
  addOperators(a: number, b: number, reason: string, now: number): void;
  component(id: number): Component;
}

interface LinkRow {
  readonly lowId: number;
  readonly highId: number;
  readonly origin: "event" | "operator";
  readonly reason: string;
  readonly occurredAt: number;
  readonly knownAt: number;
}

const COLUMNS =
  "low_id AS lowId, high_id AS highId, origin, reason, first_occurred_at AS occurredAt, first_known_at AS knownAt";

/** The links of a store. Identifiers that are linked to too many stronger ones become shared, and join nobody. */
export function openLinks(sqlite: Sqlite, rules: IdentityRules): LinkStore {
  const find = sqlite.prepare<[number, number], LinkRow>(
    `SELECT ${COLUMNS} FROM identifier_link WHERE low_id = ? AND high_id = ?`,
  );
  const insert = sqlite.prepare("INSERT INTO identifier_link VALUES (?, ?, ?, ?, ?, ?, ?)");
  const update = sqlite.prepare(
    "UPDATE identifier_link SET origin = ?, reason = ?, source = ?, first_occurred_at = ?, first_known_at = ? WHERE low_id = ? AND high_id = ?",
  );
  const countStronger = sqlite
    .prepare<[number], number>(
      "UPDATE identifier SET stronger_link_count = stronger_link_count + 1 WHERE id = ? RETURNING stronger_link_count",
    )
    .pluck();
  const share = sqlite.prepare<[number]>(
    "UPDATE identifier SET status = 'shared', customer_id = NULL, linked_at = 0 WHERE id = ? AND status = 'active'",
  );
  const neighbours = sqlite.prepare<[number, number], LinkRow>(
    `SELECT ${COLUMNS} FROM identifier_link WHERE low_id = ?
     UNION ALL SELECT ${COLUMNS} FROM identifier_link WHERE high_id = ?`,
  );
  const read = sqlite.prepare<[number], StoredIdentifier>(
    `SELECT ${STORED_COLUMNS} FROM identifier WHERE id = ?`,
  );
  const separated = sqlite
    .prepare<[number], [number, number]>(
      "SELECT low_id, high_id FROM identifier_separation WHERE low_id = ?",
    )
    .raw();

  /** Counts a new link at its weaker end; returns whoever a newly shared identifier had joined. */
  const countAt = (weaker: number): number[] => {
    if ((countStronger.get(weaker) ?? 0) <= rules.sharedAfter || share.run(weaker).changes === 0) {
      return [];
    }
    return neighbours.all(weaker, weaker).flatMap(({ lowId, highId }) => [lowId, highId]);
  };

  return {
    add: (link, from, to) => {
      const [low, high] = from < to ? [from, to] : [to, from];
      const known = find.get(low, high);
      if (known === undefined) {
        insert.run(low, high, "event", link.reason, link.source, link.occurredAt, link.knownAt);
        const isRanked = compareIdentifierTypes(link.from.type, link.to.type) !== 0;
        return [from, to, ...(isRanked ? countAt(to) : [])];
      }
      const better = betterOf(known, link);
      if (better === undefined) {
        return [];
      }
      const { occurredAt, knownAt, reason } = better;
      update.run(better.origin, reason, link.source, occurredAt, knownAt, low, high);
      return [from, to];
    },
    addOperators: (a, b, reason, now) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      sqlite
        .prepare(
          `INSERT INTO identifier_link VALUES (?, ?, 'operator', ?, 'operator', ?, ?)
           ON CONFLICT (low_id, high_id) DO UPDATE SET origin = 'operator', reason = excluded.reason`,
        )
        .run(low, high, reason, now, now);
    },
    component: (start) => {
      const identifiers = new Map<number, StoredIdentifier>();
      const links = new Map<string, GraphLink>();
      const queue = [start];
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        const identifier = identifiers.has(id) ? undefined : read.get(id);
        if (identifier?.status === "active") {
          identifiers.set(id, identifier);
          for (const { origin, ...link } of neighbours.all(id, id)) {
            links.set(`${link.lowId}-${link.highId}`, {
              ...link,
              isOperators: origin === "operator",
            });
            queue.push(link.lowId === id ? link.highId : link.lowId);
          }
        }
      }
      const separations = [...identifiers.keys()].flatMap((id) => separated.all(id));
      return { identifiers: [...identifiers.values()], links: [...links.values()], separations };
    },
  };
}

/** What a link becomes when it is seen again: as early as it ever was. */
function betterOf(known: LinkRow, link: SeenLink): Omit<LinkRow, "lowId" | "highId"> | undefined {
  if (known.origin === "operator") {
    return undefined;
  }
  const isEarlier =
    link.occurredAt < known.occurredAt ||
    (link.occurredAt === known.occurredAt && link.reason < known.reason);
  if (!isEarlier && link.knownAt >= known.knownAt) {
    return undefined;
  }
  const first = isEarlier ? link : known;
  return {
    origin: known.origin,
    reason: first.reason,
    occurredAt: first.occurredAt,
    knownAt: Math.min(link.knownAt, known.knownAt),
  };
}
