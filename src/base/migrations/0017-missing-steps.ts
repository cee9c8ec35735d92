/** What an earlier text of a migration left out: taken where that migration has run and `isMissing` finds a row. */
export interface MissingStep {
  readonly of: string;
  readonly isMissing: string;
  readonly sql: string;
}

/**
 * 0001, 0003 and 0010 were edited after stores had been made with them. These steps bring such a store to what
 * the final texts make. They run before every other migration that waits, since those build on the final texts.
 * An up-to-date store misses nothing, and a new one neither.
 *
 * Where consent statements have an earlier form, what events say of people is read again from the history and
 * the inbox, as 0003 does with stores from before it; an operator's joins and separations stay. A link by a
 * public key's claim joined nobody and would join now, so it goes. CHECKs that allow more values than today's
 * stay: nothing writes those values.
 */
export const missingSteps: readonly MissingStep[] = [
  {
    of: "0001-initial",
    isMissing: lacks("identifier", "linked_at"),
    sql: "ALTER TABLE identifier ADD COLUMN linked_at INTEGER NOT NULL DEFAULT 0",
  },
  {
    of: "0003-identity",
    isMissing: lacks("customer", "merged_into"),
    sql: "ALTER TABLE customer ADD COLUMN merged_into INTEGER REFERENCES customer (id)",
  },
  {
    of: "0003-identity",
    isMissing: lacks("stated_consent", "purpose"),
    sql: `CREATE TABLE stated_consent (
  source TEXT NOT NULL,
  purpose TEXT NOT NULL,
  basis TEXT NOT NULL,
  jurisdiction TEXT,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (source, purpose)
) STRICT, WITHOUT ROWID`,
  },
  {
    of: "0003-identity",
    isMissing: lacks("consent", "origin"),
    sql: "ALTER TABLE consent ADD COLUMN origin TEXT NOT NULL DEFAULT 'operator' CHECK (origin IN ('person', 'operator'))",
  },
  {
    of: "0003-identity",
    isMissing: lacks("resolve_position", "identity_version"),
    sql: `CREATE TABLE resolve_position_of_versions (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  inbox_through INTEGER NOT NULL,
  identity_version INTEGER NOT NULL
) STRICT;
INSERT INTO resolve_position_of_versions SELECT only_row, inbox_through, 1 FROM resolve_position;
DROP TABLE resolve_position;
ALTER TABLE resolve_position_of_versions RENAME TO resolve_position`,
  },
  {
    of: "0003-identity",
    isMissing: lacks("identity_snapshot", "identity_version"),
    sql: "ALTER TABLE identity_snapshot ADD COLUMN identity_version INTEGER NOT NULL DEFAULT 0",
  },
  {
    of: "0003-identity",
    isMissing: lacks("consent_statement", "is_repeated"),
    sql: `DROP TABLE consent_statement;
CREATE TABLE consent_statement (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  source TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('granted', 'denied')),
  is_repeated INTEGER NOT NULL,
  stated_at INTEGER NOT NULL,
  basis TEXT NOT NULL,
  jurisdiction TEXT,
  known_at INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, purpose, source, status, is_repeated, stated_at)
) STRICT, WITHOUT ROWID;
DELETE FROM identifier_activity;
DELETE FROM order_summary;
DELETE FROM recent_event;
DELETE FROM trait;
DELETE FROM identifier_link WHERE origin <> 'operator';
UPDATE identifier SET status = 'active', stronger_link_count = 0;
UPDATE history_file SET is_resolved = 0;
UPDATE resolve_position SET inbox_through = 0, identity_version = identity_version + 1`,
  },
  {
    of: "0003-identity",
    isMissing: "SELECT 1 FROM identifier_link WHERE origin = 'claim'",
    sql: "DELETE FROM identifier_link WHERE origin = 'claim'",
  },
  {
    of: "0010-columns",
    isMissing: lacks("recent_event", "is_claim"),
    sql: `ALTER TABLE recent_event ADD COLUMN category TEXT;
ALTER TABLE recent_event ADD COLUMN device TEXT;
ALTER TABLE recent_event ADD COLUMN campaign TEXT;
ALTER TABLE recent_event ADD COLUMN person TEXT;
ALTER TABLE recent_event ADD COLUMN is_claim INTEGER NOT NULL DEFAULT 0;
CREATE INDEX recent_event_order ON recent_event (identifier_id, occurred_at)
  WHERE event IN ('Order Completed', 'Order Refunded', 'Order Cancelled')`,
  },
];

function lacks(table: string, column: string): string {
  return `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pragma_table_info('${table}') WHERE name = '${column}')`;
}
