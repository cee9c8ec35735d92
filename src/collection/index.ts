/** Collection: events in, from every source, once each, into an immutable history. */
export { defaultAsOf, servingAsOf } from "./as-of.ts";
export {
  type Backup,
  copyBackup,
  listBackups,
  makeBackup,
  takeTombstones,
  verifyBackup,
} from "./backup/index.ts";
export {
  type Collector,
  type CollectRequest,
  createCollector,
  type MessageResult,
} from "./collect.ts";
export {
  type CompactionOptions,
  type CompactionReport,
  compactHistory,
} from "./compact-store.ts";
export {
  CHANNELS,
  type Channel,
  EVENT_TYPES,
  type EventType,
  emptyHistorySql,
  HISTORY_COLUMNS,
  PURPOSES,
  type Purpose,
} from "./event.ts";
export type { EventLine } from "./event-lines.ts";
export {
  BROWSING_EVENTS,
  CHANNEL_OF_EVENT,
  EventName,
  REFUND_EVENTS,
} from "./event-names.ts";
export { findFiles } from "./find-files.ts";
export {
  type HistorySummary,
  historyFiles,
  historySql,
  historySummary,
  type ImportRun,
  importRuns,
  isLiveFile,
  manifest,
  markResolved,
  sourceMappings,
} from "./history-store.ts";
export {
  compareIdentifierTypes,
  IDENTIFIER_TYPE_PATTERN,
  IDENTIFIER_TYPES,
  normaliseIdentifier,
  regionOfPhone,
} from "./identifier.ts";
export { type ImportReport, type ImportRequest, importFile } from "./import-file.ts";
export { type FileOutcome, importFiles, type MappingChoice } from "./import-files.ts";
export {
  type InboxLine,
  inboxLinesAfter,
  isInboxWaiting,
  markInboxResolved,
  resolvedThrough,
} from "./inbox-reader-store.ts";
export {
  createWriteKey,
  type KeyRules,
  listWriteKeys,
  openSenders,
  revokeWriteKey,
  type Sender,
  type Senders,
  type WriteKey,
} from "./key-store.ts";
export { learnImports } from "./known-import-store.ts";
export { personOf, personSql, writtenAs } from "./line-person.ts";
export { becomeNewStore, continueGeneration, listInFolder } from "./manifest-change-store.ts";
export { EVERY_PRODUCT, type Mapping, parseMapping, readMapping } from "./mapping.ts";
export { forgetMessages } from "./message-store.ts";
export { recordByOperator } from "./operator-store.ts";
export { listPresets, presetMapping } from "./preset.ts";
export type { QualityPart, SourceQuality } from "./quality.ts";
export { readQuality } from "./quality-store.ts";
export { listQuarantined, type Quarantined, setAside } from "./quarantine-store.ts";
export { type ListedHistory, listHistory } from "./rebuilding/index.ts";
export { type LinkableLine, type LinkedPart, linkRefunds } from "./refund-linking.ts";
export {
  matchRefunds,
  type RefundableLine,
  type RefundPart,
  type RefundRequest,
  type RefundRule,
} from "./refund-matching.ts";
export { IS_REFUND } from "./refund-sql.ts";
export { createLinkedHistory, exportRefunds, refundRules } from "./refund-store.ts";
export { keptFrom, type RetentionPolicy } from "./retention.ts";
export {
  declareRetention,
  hasLiveEvents,
  noteRetention,
  type RetentionOptions,
  type RetentionReport,
  readRetention,
  retentionRanAt,
  runRetention,
} from "./retention-store.ts";
export {
  type Rewrite,
  type RewrittenFile,
  rewriteHistory,
} from "./rewrite-store.ts";
export { type SealReport, sealInbox } from "./seal-store.ts";
export { parseSourceRules, type SourceRulesText, sourceRulesSchema } from "./source-rules.ts";
export {
  findSource,
  listSources,
  type SourceWithRules,
  setSourceRules,
} from "./source-rules-store.ts";
export {
  addTombstones,
  countTombstones,
  keyDamage,
  liftTombstone,
  openTombstones,
} from "./tombstone-store.ts";
export { setAsideUnlisted, unlistedFiles } from "./unlisted-store.ts";
export {
  type Damage,
  knownDamage,
  namingDamage,
  openSlowVerification,
  type Verification,
  verifyHistory,
} from "./verify-store.ts";
