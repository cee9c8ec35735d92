/**
 * Public keys, rules per source, counts of what came, and messages known by 16 bytes instead of by
 * source and id. `day` is a UTC day; counts of before this schema fall on the day of its arrival.
 */
export const liveSchema = `
ALTER TABLE write_key ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0;
ALTER TABLE write_key ADD COLUMN channel TEXT;
ALTER TABLE write_key ADD COLUMN region TEXT;

CREATE TABLE source_rules (
  source TEXT PRIMARY KEY REFERENCES source (name),
  rules TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message_count (
  source TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  day TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (source, kind, name, day)
) STRICT, WITHOUT ROWID;
INSERT INTO message_count
  SELECT source, 'unknown_event', event, strftime('%Y-%m-%d', 'now'), message_count FROM unknown_event;
DROP TABLE unknown_event;

CREATE INDEX rejected_message_source ON rejected_message (source, sequence);

CREATE TABLE known_message (
  key BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO known_message SELECT DISTINCT message_key(source, message_id) AS key FROM message ORDER BY key;
DROP TABLE message;
ALTER TABLE known_message RENAME TO message;

CREATE TABLE known_import (
  import_run_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
`;
