/**
 * Which store this database is of and how many changes of the history it knows, so that it can be told from a new, an older or
 * a foreign one; and size and SHA-256 of each history file, null for older ones until they are verified the first time;
 * and what a check found wrong with it.
 */
export const storeIdentitySchema = `
CREATE TABLE store_identity (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  store_id TEXT NOT NULL,
  generation INTEGER NOT NULL
) STRICT;

ALTER TABLE history_file ADD COLUMN byte_count INTEGER;
ALTER TABLE history_file ADD COLUMN sha256 TEXT;
ALTER TABLE history_file ADD COLUMN damage TEXT;
`;
