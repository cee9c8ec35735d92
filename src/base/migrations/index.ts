import { initialSchema } from "./0001-initial.ts";
import { collectionSchema } from "./0002-collection.ts";
import { identitySchema } from "./0003-identity.ts";
import { duplicatesSchema } from "./0004-duplicates.ts";
import { historySchema } from "./0005-history.ts";
import { importSchema } from "./0006-import.ts";
import { liveSchema } from "./0007-live.ts";
import { rightsSchema } from "./0008-rights.ts";
import { columnsSchema } from "./0010-columns.ts";
import { featureBuildsSchema } from "./0011-feature-builds.ts";
import { onlineFeaturesSchema } from "./0012-online-features.ts";
import { storeIdentitySchema } from "./0013-store-identity.ts";
import { locksSchema } from "./0014-locks.ts";
import { pendingProfilesSchema } from "./0015-pending-profiles.ts";
import { consentSchema } from "./0016-consent.ts";
import { type MissingStep, missingSteps } from "./0017-missing-steps.ts";
import { artifactChecksumsSchema } from "./0018-artifact-checksums.ts";
import { snapshotChecksumSchema } from "./0019-snapshot-checksum.ts";

/** A numbered schema change. `steps` mend what earlier texts of other migrations left out. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly steps?: readonly MissingStep[];
}

/**
 * Numbered schema changes, applied once each in this order; a released one is never edited (its checksum is in
 * test/base/migrations.test.ts). No store has a 0009.
 */
export const migrations: readonly Migration[] = [
  { name: "0001-initial", sql: initialSchema },
  { name: "0002-collection", sql: collectionSchema },
  { name: "0003-identity", sql: identitySchema },
  { name: "0004-duplicates", sql: duplicatesSchema },
  { name: "0005-history", sql: historySchema },
  { name: "0006-import", sql: importSchema },
  { name: "0007-live", sql: liveSchema },
  { name: "0008-rights", sql: rightsSchema },
  { name: "0010-columns", sql: columnsSchema },
  { name: "0011-feature-builds", sql: featureBuildsSchema },
  { name: "0012-online-features", sql: onlineFeaturesSchema },
  { name: "0013-store-identity", sql: storeIdentitySchema },
  { name: "0014-locks", sql: locksSchema },
  { name: "0015-pending-profiles", sql: pendingProfilesSchema },
  { name: "0016-consent", sql: consentSchema },
  { name: "0017-missing-steps", sql: "", steps: missingSteps },
  { name: "0018-artifact-checksums", sql: artifactChecksumsSchema },
  { name: "0019-snapshot-checksum", sql: snapshotChecksumSchema },
];
