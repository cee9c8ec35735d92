/** Collection: events in, from every source, once each, into an immutable history. */
export {
  type Backup,
  copyBackup,
  listBackups,
  makeBackup,
  takeTombstones,
} from "./backup-store.ts";
export {
  type Collector,
  type CollectRequest,
  createCollector,
  type MessageResult,
} from "./collect.ts";
export {
  CHANNELS,
  type Channel,
  EVENT_TYPES,
  EventName,
  type EventType,
  HISTORY_COLUMNS,
  PURPOSES,
  type Purpose,
  REFUND_EVENTS,
} from "./event.ts";
export type { EventLine } from "./event-lines.ts";
export {
  type HistorySummary,
  historyFiles,
  historySql,
  historySummary,
  type ImportRun,
  importRuns,
  markResolved,
  removeUnlistedHistory,
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
export {
  type InboxLine,
  inboxLinesAfter,
  markInboxResolved,
  resolvedThrough,
} from "./inbox-reader-store.ts";
export {
  createWriteKey,
  listWriteKeys,
  revokeWriteKey,
  sourceOfKey,
  type WriteKey,
} from "./key-store.ts";
export { EVERY_PRODUCT, type Mapping, parseMapping, readMapping } from "./mapping.ts";
export { forgetMessages } from "./message-store.ts";
export { recordByOperator } from "./operator-store.ts";
export { type RewrittenFile, rewriteHistory } from "./rewrite-store.ts";
export { type SealReport, sealInbox } from "./seal-store.ts";
export {
  addTombstones,
  countTombstones,
  liftTombstone,
  openTombstones,
} from "./tombstone-store.ts";
