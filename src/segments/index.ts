/** Segments: whom to address, when, and where the budget stops paying. */
export {
  CSV_COLUMNS,
  csvRecords,
  DEFAULT_MINIMUM_PROBABILITY,
  exportAudiences,
  RETARGETING_POOL,
  refreshAudiences,
  repurchaseAudienceName,
  writeCsv,
} from "./audience.ts";
export {
  type Audience,
  type AudienceMember,
  countMembers,
  getAudience,
  listAudiences,
  readMembers,
} from "./audience-store.ts";
export { type CoveredWeek, coveredWeeks, weekProbability } from "./repurchase-weeks.ts";
