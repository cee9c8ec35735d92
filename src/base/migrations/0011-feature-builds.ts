/**
 * What builds of features came to: of whom and when, how many rows, and per feature its share of nulls and
 * its quantiles (JSON). Numbers of everybody together, of nobody alone.
 */
export const featureBuildsSchema = `
CREATE TABLE feature_build (
  id INTEGER PRIMARY KEY,
  service TEXT NOT NULL,
  version INTEGER NOT NULL,
  purpose TEXT NOT NULL CHECK (purpose IN ('export', 'rows', 'training', 'scoring')),
  spine TEXT NOT NULL,
  built_at INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  cutoff_count INTEGER NOT NULL,
  first_cutoff INTEGER,
  last_cutoff INTEGER,
  data_through INTEGER,
  facts TEXT NOT NULL,
  statistics TEXT NOT NULL
) STRICT;
CREATE INDEX feature_build_service ON feature_build (service, id);
`;
