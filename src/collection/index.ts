/** Collection: events in, from every source, once each, into an immutable history. */
export { EventName } from "./event.ts";
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
export { type ImportReport, type ImportRequest, importFile } from "./import-file.ts";
export { EVERY_PRODUCT, type Mapping, parseMapping, readMapping } from "./mapping.ts";
