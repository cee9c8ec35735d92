/** Rebuilding: what a new database learns of the history files in its folder. */
export { type ListedHistory, type ListOptions, listHistory } from "./list-history-store.ts";
