import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  openStore,
  readIdentity,
  type Sqlite,
  type Store,
  writeTransaction,
} from "../../base/index.ts";

/** What is taken from an earlier database, since the history does not hold it: statements over the schemas `main` and `former`. */
const CARRIED: readonly (readonly [what: string, sql: string])[] = [
  [
    "sources",
    `INSERT INTO source SELECT * FROM former.source WHERE true
       ON CONFLICT (name) DO UPDATE SET mapping = excluded.mapping, updated_at = excluded.updated_at`,
  ],
  ["write keys", "INSERT OR IGNORE INTO write_key SELECT * FROM former.write_key"],
  ["settings", "INSERT OR IGNORE INTO setting SELECT * FROM former.setting"],
  ["rules of sources", "INSERT OR IGNORE INTO source_rules SELECT * FROM former.source_rules"],
  ["identity rules", "INSERT OR IGNORE INTO identity_rules SELECT * FROM former.identity_rules"],
  ["erasures", "INSERT OR IGNORE INTO erasure SELECT * FROM former.erasure"],
  ["tombstones", "INSERT OR IGNORE INTO tombstone SELECT * FROM former.tombstone"],
  [
    "tombstone version",
    "UPDATE tombstone_version SET version = version + 1 + (SELECT version FROM former.tombstone_version)",
  ],
  ["backups", "INSERT OR IGNORE INTO backup SELECT * FROM former.backup"],
  ["models", "INSERT OR IGNORE INTO model_version SELECT * FROM former.model_version"],
  ["files of models", "INSERT OR IGNORE INTO artifact_file SELECT * FROM former.artifact_file"],
  ["champions", "INSERT OR IGNORE INTO model_alias SELECT * FROM former.model_alias"],
  [
    "refused messages",
    "INSERT OR IGNORE INTO rejected_message SELECT * FROM former.rejected_message",
  ],
  ["message counts", "INSERT OR IGNORE INTO message_count SELECT * FROM former.message_count"],
  [
    "waiting events",
    `INSERT INTO inbox ($inbox) SELECT $inbox FROM former.inbox i
       WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.key = message_key(i.source, i.message_id)) ORDER BY sequence`,
  ],
  ["messages", "INSERT OR IGNORE INTO message SELECT * FROM former.message"],
];

/** What an operator decided of who is who, by what identifiers are called. */
const DECISIONS: readonly (readonly [what: string, sql: string])[] = [
  [
    "joins",
    `INSERT OR IGNORE INTO identifier_link
       SELECT min(a.id, b.id), max(a.id, b.id), l.origin, l.reason, l.source, l.first_occurred_at, l.first_known_at
       FROM former.identifier_link l JOIN former.identifier fa ON fa.id = l.low_id JOIN former.identifier fb ON fb.id = l.high_id
       JOIN identifier a ON a.type = fa.type AND a.value = fa.value JOIN identifier b ON b.type = fb.type AND b.value = fb.value
       WHERE l.origin = 'operator'`,
  ],
  [
    "separations",
    `INSERT OR IGNORE INTO identifier_separation
       SELECT min(a.id, b.id), max(a.id, b.id), s.reason, s.created_at
       FROM former.identifier_separation s JOIN former.identifier fa ON fa.id = s.low_id JOIN former.identifier fb ON fb.id = s.high_id
       JOIN identifier a ON a.type = fa.type AND a.value = fa.value JOIN identifier b ON b.type = fb.type AND b.value = fb.value`,
  ],
];

/** How many rows of each kind were taken over, of those that there were. */
export type CarriedOver = Readonly<Record<string, number>>;

/** An earlier database that was opened to take over from. */
export interface Former {
  /** Which store it is of. */
  readonly storeId: string | undefined;
  /** Takes over what the history does not hold; call it before customers are resolved. */
  settings(store: Store): CarriedOver;
  /** Takes over what an operator decided of who is who; call it after customers are resolved. Returns the counts and whom it touches. */
  decisions(store: Store): {
    readonly counts: CarriedOver;
    readonly identifiers: readonly number[];
  };
  close(): void;
}

/**
 * Opens a copy of an earlier database, brought to the current schema, to take over from. Undefined where it can't be read.
 */
export async function openFormer(store: Store, file: string): Promise<Former | undefined> {
  const folder = mkdtempSync(join(store.path("temporary"), "former-"));
  let storeId: string | undefined;
  try {
    for (const part of ["", "-wal"]) {
      if (existsSync(file + part)) {
        copyFileSync(file + part, join(folder, `herkoop.sqlite${part}`));
      }
    }
    const former = await openStore(folder);
    storeId = readIdentity(former.sqlite)?.storeId;
    former.close();
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const copy = join(folder, "herkoop.sqlite");
  return {
    storeId,
    settings: (to) => attached(to.sqlite, copy, () => carry(to.sqlite, CARRIED)),
    decisions: (to) =>
      attached(to.sqlite, copy, () => ({
        counts: carry(to.sqlite, DECISIONS),
        identifiers: to.sqlite
          .prepare<[], number>(
            `SELECT low_id FROM identifier_link WHERE origin = 'operator'
             UNION SELECT high_id FROM identifier_link WHERE origin = 'operator'
             UNION SELECT low_id FROM identifier_separation UNION SELECT high_id FROM identifier_separation`,
          )
          .pluck()
          .all(),
      })),
    close: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function attached<T>(sqlite: Sqlite, file: string, work: () => T): T {
  sqlite.prepare("ATTACH ? AS former").run(file);
  try {
    return work();
  } finally {
    sqlite.exec("DETACH former");
  }
}

function carry(
  sqlite: Sqlite,
  statements: readonly (readonly [what: string, sql: string])[],
): CarriedOver {
  const inbox = sqlite
    .prepare<[], string>("SELECT name FROM pragma_table_info('inbox') WHERE name <> 'sequence'")
    .pluck()
    .all()
    .join(", ");
  return writeTransaction(sqlite, () =>
    Object.fromEntries(
      statements.map(([what, sql]) => [
        what,
        sqlite.prepare(sql.replaceAll("$inbox", inbox)).run().changes,
      ]),
    ),
  );
}
