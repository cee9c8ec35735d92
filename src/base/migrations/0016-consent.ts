/**
 * What decides between statements whose clocks disagree, and who may state what. `arrived_at` is when a
 * statement reached the server; of a row of a file it is the time that the row states. `is_claim` marks what
 * came with a public key; `is_trusted` an identifier that anything but a public key named, and `trusted_count`
 * is how often more than a public key told of an activity. Statements and
 * older visitors are taken as the stricter reading allows; `herkoop resolve --all` reads them again.
 *
 * `consent_change` counts whatever may take somebody out of an audience: a grant that goes, an identifier that
 * goes or moves to another customer. `files_version` is the count up to which audience files were cleaned.
 */
export const consentSchema = `
ALTER TABLE identifier ADD COLUMN is_trusted INTEGER NOT NULL DEFAULT 0;
UPDATE identifier SET is_trusted = 1
WHERE type <> 'anonymous_id'
  OR EXISTS (SELECT 1 FROM identifier_link l WHERE l.low_id = identifier.id OR l.high_id = identifier.id)
  OR EXISTS (
    SELECT 1 FROM identifier_activity a WHERE a.identifier_id = identifier.id
      AND a.source NOT IN (SELECT source FROM write_key WHERE is_public = 1));

ALTER TABLE identifier_activity ADD COLUMN trusted_count INTEGER NOT NULL DEFAULT 0;
UPDATE identifier_activity SET trusted_count = 1
WHERE source NOT IN (SELECT source FROM write_key WHERE is_public = 1)
  OR identifier_id IN (SELECT id FROM identifier WHERE type <> 'anonymous_id');

CREATE TABLE consent_statement_in_order (
  identifier_id INTEGER NOT NULL REFERENCES identifier (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  source TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('granted', 'denied')),
  is_repeated INTEGER NOT NULL,
  is_claim INTEGER NOT NULL,
  stated_at INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL,
  basis TEXT NOT NULL,
  jurisdiction TEXT,
  known_at INTEGER NOT NULL,
  PRIMARY KEY (identifier_id, purpose, source, status, is_repeated, is_claim, stated_at, arrived_at)
) STRICT, WITHOUT ROWID;
INSERT INTO consent_statement_in_order
  SELECT s.identifier_id, s.purpose, s.source, s.status, s.is_repeated,
         s.source IN (SELECT source FROM write_key WHERE is_public = 1) AND i.type = 'anonymous_id',
         s.stated_at,
         CASE WHEN s.source IN (SELECT source FROM write_key) THEN max(s.known_at, s.stated_at) ELSE s.stated_at END,
         s.basis, s.jurisdiction, s.known_at
  FROM consent_statement s JOIN identifier i ON i.id = s.identifier_id;
DROP TABLE consent_statement;
ALTER TABLE consent_statement_in_order RENAME TO consent_statement;

CREATE TABLE consent_change (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  version INTEGER NOT NULL,
  files_version INTEGER NOT NULL
) STRICT;
INSERT INTO consent_change VALUES (1, 1, 0);
CREATE TRIGGER consent_gone AFTER DELETE ON consent WHEN old.status = 'granted' BEGIN
  UPDATE consent_change SET version = version + 1;
END;
CREATE TRIGGER consent_changed AFTER UPDATE ON consent WHEN old.status = 'granted' OR new.status = 'denied' BEGIN
  UPDATE consent_change SET version = version + 1;
END;
CREATE TRIGGER consent_denied AFTER INSERT ON consent WHEN new.status = 'denied' BEGIN
  UPDATE consent_change SET version = version + 1;
END;
CREATE TRIGGER identifier_gone AFTER DELETE ON identifier BEGIN
  UPDATE consent_change SET version = version + 1;
END;
CREATE TRIGGER identifier_moved AFTER UPDATE OF customer_id ON identifier
WHEN old.customer_id IS NOT NULL AND new.customer_id IS NOT old.customer_id BEGIN
  UPDATE consent_change SET version = version + 1;
END;
`;
