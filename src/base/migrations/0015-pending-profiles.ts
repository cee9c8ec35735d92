/**
 * What is written in turns. Activities and orders of a history file wait here until all of them are known (`is_ready`), and
 * then move to the profiles a few at a time: each row counts once, however often that is interrupted. While
 * `consent_renewal` has a row, what operators state is brought to the customers after that position. Features of a day serve once all of
 * them are stored. The indexes keep removing a person short.
 */
export const pendingProfilesSchema = `
CREATE TABLE pending_file (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  file TEXT NOT NULL,
  is_ready INTEGER NOT NULL
) STRICT;

CREATE TABLE pending_activity (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  channel TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  is_trusted INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, source, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE pending_order (
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

CREATE TABLE consent_renewal (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  position INTEGER NOT NULL
) STRICT;

ALTER TABLE population_run ADD COLUMN is_ready INTEGER NOT NULL DEFAULT 1;

CREATE INDEX customer_merged_into ON customer (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX prediction_customer ON prediction (customer_id);
CREATE INDEX audience_member_customer ON audience_member (customer_id);
`;
