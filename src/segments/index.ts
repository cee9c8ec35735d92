/** Segments: whom to address, when, and where the budget stops paying. */
export {
  CSV_COLUMNS,
  csvRecords,
  DEFAULT_MINIMUM_PROBABILITY,
  exportAudiences,
  refreshAudiences,
  writeCsv,
} from "./audience.ts";
export { type CleanedFiles, cleanAudienceFiles, openFileCleaner } from "./audience-files.ts";
export { RETARGETING_POOL, repurchaseAudienceName } from "./audience-purposes.ts";
export {
  type Audience,
  type AudienceMember,
  countMembers,
  getAudience,
  listAudiences,
  readMembers,
} from "./audience-store.ts";
export { type CoveredWeek, coveredWeeks, weekProbability } from "./repurchase-weeks.ts";
