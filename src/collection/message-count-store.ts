import { DAY_MS, type Store, toIso } from "../base/index.ts";

/** Counts of what came, kept per source, kind, name and UTC day of arrival (docs/collection.md, Quality). */
export interface MessageCounts {
  /** Adds one; it lasts once `write` has run. */
  add(source: string, kind: string, name: string): void;
  /** Writes what was added as of an instant; call inside the transaction that keeps the messages. */
  write(receivedAt: number): void;
  /** Forgets what was added since the last write. */
  discard(): void;
}

/** How many names of a kind are told apart per source; a stranger can't make the table grow on. */
const NAMES_MAX = 1_000;
const NAME_LENGTH_MAX = 200;

/** Where names beyond the bound are counted together. */
export const OTHER_NAMES = "(others)";

/** The counts of a store, through statements that are prepared once. */
export function openMessageCounts(store: Store): MessageCounts {
  const upsert = store.sqlite.prepare(
    `INSERT INTO message_count VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (source, kind, name, day) DO UPDATE SET count = count + excluded.count`,
  );
  const readNames = store.sqlite
    .prepare<[string, string], string>(
      "SELECT DISTINCT name FROM message_count WHERE source = ? AND kind = ?",
    )
    .pluck();
  const known = new Map<string, Map<string, Set<string>>>();
  let added = new Map<string, Map<string, Map<string, number>>>();
  const bounded = (source: string, kind: string, name: string): string => {
    const kinds = childOf(known, source, () => new Map<string, Set<string>>());
    const names = childOf(kinds, kind, () => new Set(readNames.all(source, kind)));
    if (names.has(name)) {
      return name;
    }
    if (names.size >= NAMES_MAX) {
      return OTHER_NAMES;
    }
    names.add(name);
    return name;
  };
  return {
    add: (source, kind, name) => {
      const kinds = childOf(added, source, () => new Map<string, Map<string, number>>());
      const names = childOf(kinds, kind, () => new Map<string, number>());
      names.set(name, (names.get(name) ?? 0) + 1);
    },
    write: (receivedAt) => {
      const day = toIso(Math.floor(receivedAt / DAY_MS) * DAY_MS).slice(0, 10);
      for (const [source, kinds] of added) {
        for (const [kind, names] of kinds) {
          for (const [name, count] of names) {
            const kept = bounded(source, kind, storable(name));
            upsert.run(source, kind, kept, day, count);
          }
        }
      }
      added = new Map();
    },
    discard: () => {
      added = new Map();
    },
  };
}

function storable(name: string): string {
  return name.slice(0, NAME_LENGTH_MAX).replace(/[\0\p{Surrogate}]/gu, "\ufffd");
}

function childOf<Value>(parent: Map<string, Value>, key: string, make: () => Value): Value {
  const child = parent.get(key) ?? make();
  parent.set(key, child);
  return child;
}
