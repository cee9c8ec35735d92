/**
 * Erasure: keyed hashes of erased identifiers, with a counter that tells readers of a change; what was
 * erased, as a signed receipt; what is still to be done (locked by the store's key) while it is not
 * finished; and where backups lie.
 */
export const rightsSchema = `
CREATE TABLE erasure (
  id TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  plan BLOB,
  finished_at INTEGER,
  receipt TEXT,
  signature TEXT,
  CHECK ((plan IS NULL) = (receipt IS NOT NULL))
) STRICT;

CREATE TABLE tombstone (
  type TEXT NOT NULL,
  hash TEXT NOT NULL,
  key_id TEXT NOT NULL,
  erased_at INTEGER NOT NULL,
  erasure_id TEXT NOT NULL REFERENCES erasure (id),
  PRIMARY KEY (type, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone_version (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO tombstone_version VALUES (1, 0);

CREATE TABLE backup (
  folder TEXT PRIMARY KEY,
  made_at INTEGER NOT NULL,
  file_count INTEGER NOT NULL,
  row_count INTEGER NOT NULL
) STRICT;
`;
