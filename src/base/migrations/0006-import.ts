/**
 * What each import met, for the report on the quality of the data: lines by event name, channel,
 * identifier type and lateness, rejects by reason, identifiers that could not be read.
 */
export const importSchema = `
CREATE TABLE import_count (
  import_run_id TEXT NOT NULL REFERENCES import_run (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (import_run_id, kind, name)
) STRICT, WITHOUT ROWID;
`;
