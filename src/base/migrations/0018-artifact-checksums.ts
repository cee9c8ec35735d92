/**
 * Every file of a model version's folder as it was when the version was registered, or, for a version that is older than
 * this schema, when it was first read (`is_late`): what was damaged earlier is not seen. `name` is relative to the version's folder.
 */
export const artifactChecksumsSchema = `
CREATE TABLE artifact_file (
  version_id TEXT NOT NULL REFERENCES model_version (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  is_late INTEGER NOT NULL,
  PRIMARY KEY (version_id, name)
) STRICT, WITHOUT ROWID;
`;
