/**
 * Live collection: keys, the inbox with the history's columns, and every message id ever accepted. A
 * history file may now come from the inbox: then no import made it, and it may hold several sources.
 */
export const collectionSchema = `
CREATE TABLE write_key (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL REFERENCES source (name),
  sha256 TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE message (
  source TEXT NOT NULL,
  message_id TEXT NOT NULL,
  PRIMARY KEY (source, message_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  message_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  type TEXT NOT NULL,
  event TEXT,
  occurred_at_ms INTEGER NOT NULL,
  known_at_ms INTEGER NOT NULL,
  user_id TEXT,
  anonymous_id TEXT,
  order_id TEXT,
  product_id TEXT,
  product_name TEXT,
  quantity REAL,
  price REAL,
  currency TEXT,
  properties TEXT
) STRICT;

CREATE TABLE rejected_message (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  message_id TEXT,
  field TEXT NOT NULL,
  reason TEXT NOT NULL,
  content TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;

CREATE TABLE unknown_event (
  source TEXT NOT NULL,
  event TEXT NOT NULL,
  message_count INTEGER NOT NULL,
  PRIMARY KEY (source, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE history_file_of_any_origin (
  name TEXT PRIMARY KEY,
  source TEXT REFERENCES source (name),
  import_run_id TEXT REFERENCES import_run (id),
  row_count INTEGER NOT NULL,
  first_occurred_at INTEGER NOT NULL,
  last_occurred_at INTEGER NOT NULL,
  last_known_at INTEGER NOT NULL,
  is_resolved INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO history_file_of_any_origin SELECT * FROM history_file ORDER BY rowid;
DROP TABLE history_file;
ALTER TABLE history_file_of_any_origin RENAME TO history_file;
`;
