/**
 * History files that another one replaced lie on until nobody reads them: `readers` is a JSON list of
 * the sessions that may, NULL while it is not known yet. `setting` holds what an operator declares.
 */
export const historySchema = `
CREATE TABLE retired_file (
  name TEXT PRIMARY KEY,
  readers TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
