/** Base: what everything stands on. Time, chance, errors, the calendar and the two databases. */
export { busyInWords, isBusy } from "./busy.ts";
export {
  DAY_MS,
  dayStart,
  type IsoWeek,
  isoWeekOf,
  isoWeeksFrom,
  parseInstant,
  WEEK_MS,
} from "./calendar.ts";
export { type Checkpointer, openCheckpointer } from "./checkpoint.ts";
export { type Clock, fixedClock, systemClock, toIso } from "./clock.ts";
export {
  type DuckDb,
  DuckDbError,
  literal,
  openDuckDb,
  quoted,
  type SqlRow,
  type SqlValue,
} from "./duckdb.ts";
export { type ErrorCode, messageOf, nearest, ServiceError } from "./errors.ts";
export { type Every, systemEvery } from "./every.ts";
export { findSpark, SPARK_VERSION, type Spark, type SparkSettings } from "./find-spark.ts";
export { eventLoopLoad, type Load } from "./load.ts";
export { LOCKS_FOLDER, type Lock } from "./lock.ts";
export { createLogger, type Logger } from "./logger.ts";
export { workingMemoryMiB } from "./memory.ts";
export { messageKey } from "./message-key.ts";
export { yieldProcessor } from "./priority.ts";
export { createPrivately, makeOutputFolder, shareOutput } from "./private-files.ts";
export { createProblems, type Problem, type Problems } from "./problems.ts";
export {
  createProgress,
  lineProgress,
  type Progress,
  type ProgressMessage,
  relayProgress,
  type Step,
  silentProgress,
} from "./progress.ts";
export { type Random, seededRandom, shuffle, stableHash } from "./random.ts";
export { acquireServerLock } from "./server-lock.ts";
export { compareText, lowerBound } from "./sorted.ts";
export { runSparkSql, type SparkSqlOptions } from "./spark.ts";
export { checkMaster } from "./spark-master.ts";
export {
  type SparkView,
  type SparkWrite,
  sparkLiteral,
  viewStatement,
  writeStatement,
} from "./spark-text.ts";
export {
  checkDatabaseFile,
  openDatabaseFile,
  openReader,
  readSnapshot,
  type Sqlite,
  statementOf,
  waitOffLoop,
  withoutWaiting,
  writeTransaction,
} from "./sqlite.ts";
export { beside, openSessions, openStore, removeStrays, type Store } from "./store.ts";
export {
  type ListedFile,
  readStoreFile,
  STORE_FILE,
  type StoreFile,
  writeStoreFile,
} from "./store-file.ts";
export {
  DATABASE,
  historyNames,
  raiseGeneration,
  readIdentity,
  type StoreIdentity,
} from "./store-identity.ts";
export { hasStoreKey, isSignedBy, KEY_FILE, openStoreKey, type StoreKey } from "./store-key.ts";
export { systemError } from "./system-error.ts";
export { startThread } from "./thread.ts";
export { inTurns, nextTurn } from "./turns.ts";
export {
  type Pause,
  systemPause,
  type Turns,
  whenFree,
  writeInTurns,
  writeTurns,
  writeWhenFree,
} from "./write-turns.ts";
export { acquireWriterLock } from "./writer-lock.ts";
