/** Features of products and categories as known at the start of a UTC day, for serving. Vectors are little-endian doubles; NaN is unknown. */
export const onlineFeaturesSchema = `
CREATE TABLE population_run (
  day_ms INTEGER PRIMARY KEY,
  features TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  computed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE population_feature (
  day_ms INTEGER NOT NULL REFERENCES population_run (day_ms) ON DELETE CASCADE,
  entity TEXT NOT NULL CHECK (entity IN ('product', 'category')),
  key TEXT NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (day_ms, entity, key)
) STRICT, WITHOUT ROWID;
`;
