/**
 * Probable duplicates for review: pairs of identifiers, each standing for the customer it belongs to, with
 * the weights that explain the pair (levels and bits, no values). A decision is kept for good.
 */
export const duplicatesSchema = `
CREATE TABLE duplicate (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  left_identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  right_identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE
    CHECK (right_identifier_id > left_identifier_id),
  match_weight REAL NOT NULL,
  probability REAL NOT NULL,
  explanation TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'joined', 'separated')),
  found_at INTEGER NOT NULL,
  decided_at INTEGER,
  decided_by TEXT,
  UNIQUE (left_identifier_id, right_identifier_id)
) STRICT;
CREATE INDEX duplicate_by_weight ON duplicate (status, match_weight DESC, id);
`;
