/** Rebuilding: a database made from the history, and what is taken over from an earlier one. */
export { type RebuildReport, type RebuildRequest, rebuildDatabase } from "./rebuild-store.ts";
