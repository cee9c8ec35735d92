/**
 * One person out of many identifiers. An identifier's own number is also the number its customer has
 * while no older identifier joins it, so that a customer's id is the lowest of its identifiers' and an
 * unmerge gives each part the id it had. What is known of a person hangs on identifiers, never on
 * customers: merging and unmerging change `identifier.customer_id` alone.
 *
 * Links of stores made before are read again from the history.
 */
export const identitySchema = `
ALTER TABLE inbox ADD COLUMN channel TEXT;
ALTER TABLE inbox ADD COLUMN campaign TEXT;
ALTER TABLE inbox ADD COLUMN cost REAL;
ALTER TABLE inbox ADD COLUMN identifiers TEXT;
ALTER TABLE inbox ADD COLUMN traits TEXT;
ALTER TABLE inbox ADD COLUMN consent TEXT;
ALTER TABLE inbox ADD COLUMN is_claim INTEGER NOT NULL DEFAULT 0;

ALTER TABLE customer ADD COLUMN merged_into INTEGER REFERENCES customer (id);

CREATE TABLE numbered_identifier (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  value TEXT NOT NULL,
  customer_id INTEGER REFERENCES customer (id),
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'shared')),
  source TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  linked_at INTEGER NOT NULL DEFAULT 0,
  stronger_link_count INTEGER NOT NULL DEFAULT 0,
  UNIQUE (type, value)
) STRICT;
INSERT INTO numbered_identifier (id, type, value, customer_id, source, first_seen_at, linked_at)
  SELECT customer_id, type, value, customer_id, source, first_seen_at, linked_at FROM (
    SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY type DESC, first_seen_at, value) AS position FROM identifier)
  WHERE position = 1;
INSERT INTO numbered_identifier (type, value, customer_id, source, first_seen_at, linked_at)
  SELECT type, value, customer_id, source, first_seen_at, linked_at FROM identifier i
  WHERE NOT EXISTS (SELECT 1 FROM numbered_identifier n WHERE n.type = i.type AND n.value = i.value)
  ORDER BY customer_id, type DESC, first_seen_at, value;
DROP TABLE identifier;
ALTER TABLE numbered_identifier RENAME TO identifier;
CREATE INDEX identifier_customer ON identifier (customer_id);
UPDATE history_file SET is_resolved = 0;

CREATE TABLE identifier_link (
  low_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  high_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  origin TEXT NOT NULL CHECK (origin IN ('event', 'operator')),
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  first_occurred_at INTEGER NOT NULL,
  first_known_at INTEGER NOT NULL,
  PRIMARY KEY (low_id, high_id),
  CHECK (low_id < high_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_link_high ON identifier_link (high_id);

CREATE TABLE identifier_separation (
  low_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  high_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (low_id, high_id),
  CHECK (low_id < high_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_separation_high ON identifier_separation (high_id);

CREATE TABLE customer_change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('merge', 'unmerge')),
  customer_id INTEGER NOT NULL,
  other_customer_id INTEGER NOT NULL,
  low_id INTEGER,
  high_id INTEGER,
  reason TEXT NOT NULL,
  recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX customer_change_customer ON customer_change (customer_id);
CREATE INDEX customer_change_other ON customer_change (other_customer_id);

CREATE TABLE trait (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  source TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, name)
) STRICT, WITHOUT ROWID;

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
CREATE TABLE stated_consent (
  source TEXT NOT NULL,
  purpose TEXT NOT NULL,
  basis TEXT NOT NULL,
  jurisdiction TEXT,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (source, purpose)
) STRICT, WITHOUT ROWID;
ALTER TABLE consent ADD COLUMN jurisdiction TEXT;
ALTER TABLE consent ADD COLUMN origin TEXT NOT NULL DEFAULT 'operator' CHECK (origin IN ('person', 'operator'));

CREATE TABLE identifier_activity (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  channel TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, source, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_summary (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  order_id TEXT NOT NULL,
  ordered_at INTEGER,
  last_at INTEGER NOT NULL,
  currency TEXT,
  line_count INTEGER NOT NULL,
  quantity REAL NOT NULL,
  amount REAL NOT NULL,
  refunded_quantity REAL NOT NULL,
  refunded_amount REAL NOT NULL,
  is_cancelled INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, source, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE recent_event (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  occurred_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  message_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  type TEXT NOT NULL,
  event TEXT,
  channel TEXT,
  order_id TEXT,
  product_id TEXT,
  product_name TEXT,
  quantity REAL,
  price REAL,
  currency TEXT,
  PRIMARY KEY (identifier_id, occurred_at, source, message_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE resolve_position (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  inbox_through INTEGER NOT NULL,
  identity_version INTEGER NOT NULL
) STRICT;
INSERT INTO resolve_position VALUES (1, 0, 1);
ALTER TABLE identity_snapshot ADD COLUMN identity_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE identity_rules (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  rules TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
`;
