/** Instants are epoch milliseconds in UTC, named `*_at`; JSON is text. */
export const initialSchema = `
CREATE TABLE writer_lock (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  process_id INTEGER NOT NULL
) STRICT;

CREATE TABLE source (
  name TEXT PRIMARY KEY,
  mapping TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE import_run (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL REFERENCES source (name),
  file TEXT NOT NULL,
  checksum TEXT NOT NULL,
  known_at_rule TEXT NOT NULL,
  rows_read INTEGER NOT NULL,
  rows_accepted INTEGER NOT NULL,
  rows_duplicate INTEGER NOT NULL,
  rows_rejected INTEGER NOT NULL,
  rejects_file TEXT,
  finished_at INTEGER NOT NULL
) STRICT;

CREATE TABLE history_file (
  name TEXT PRIMARY KEY,
  source TEXT NOT NULL REFERENCES source (name),
  import_run_id TEXT NOT NULL REFERENCES import_run (id),
  row_count INTEGER NOT NULL,
  first_occurred_at INTEGER NOT NULL,
  last_occurred_at INTEGER NOT NULL,
  last_known_at INTEGER NOT NULL,
  is_resolved INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE customer (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  first_seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE identifier (
  type TEXT NOT NULL,
  value TEXT NOT NULL,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  source TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  linked_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (type, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_customer ON identifier (customer_id);

CREATE TABLE consent (
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  purpose TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('granted', 'denied')),
  source TEXT NOT NULL,
  basis TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (customer_id, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity_snapshot (
  generation INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  identifier_count INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE model_version (
  id TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  kind TEXT NOT NULL,
  folder TEXT NOT NULL,
  card TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  data_through INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE model_alias (
  model TEXT NOT NULL,
  alias TEXT NOT NULL CHECK (alias IN ('champion', 'challenger')),
  version_id TEXT NOT NULL REFERENCES model_version (id),
  PRIMARY KEY (model, alias)
) STRICT;

CREATE TABLE prediction_run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model TEXT NOT NULL,
  version_id TEXT NOT NULL REFERENCES model_version (id),
  as_of INTEGER NOT NULL,
  data_through INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  is_current INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX prediction_run_current ON prediction_run (model) WHERE is_current = 1;

CREATE TABLE prediction (
  run_id INTEGER NOT NULL REFERENCES prediction_run (id) ON DELETE CASCADE,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  product TEXT NOT NULL,
  probabilities TEXT NOT NULL,
  percentile REAL NOT NULL,
  facts TEXT NOT NULL,
  PRIMARY KEY (run_id, customer_id, product)
) STRICT, WITHOUT ROWID;

CREATE TABLE product (
  product TEXT PRIMARY KEY,
  name TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE audience (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('repurchase', 'retargeting')),
  week TEXT,
  week_start INTEGER,
  week_end INTEGER,
  purpose TEXT NOT NULL,
  model_version TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  data_through INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  member_count INTEGER NOT NULL,
  is_current INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (name, version)
) STRICT;
CREATE UNIQUE INDEX audience_current ON audience (name) WHERE is_current = 1;

CREATE TABLE audience_member (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  position INTEGER NOT NULL,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  product TEXT NOT NULL,
  probability REAL NOT NULL,
  percentile REAL NOT NULL,
  PRIMARY KEY (name, version, position),
  FOREIGN KEY (name, version) REFERENCES audience (name, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE pruning_curve (
  version_id TEXT PRIMARY KEY REFERENCES model_version (id),
  curve TEXT NOT NULL
) STRICT;
`;
