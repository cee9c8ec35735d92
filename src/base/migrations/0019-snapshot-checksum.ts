/** The SHA-256 of each snapshot of who is who; null for older ones, which are written again. */
export const snapshotChecksumSchema = `
ALTER TABLE identity_snapshot ADD COLUMN sha256 TEXT;
`;
