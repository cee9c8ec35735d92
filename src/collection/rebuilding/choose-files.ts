import type { ListedFile, StoreFile } from "../../base/index.ts";
import type { HistoryFacts } from "../history-facts.ts";

/** A Parquet file in the history's folder, and what it says of itself. */
export interface FoundFile {
  readonly name: string;
  /** Undefined for older files, which say nothing. */
  readonly facts: HistoryFacts | undefined;
}

/** A file that belongs to the history, with what the folder noted of it, if anything. */
export interface ChosenFile extends FoundFile {
  readonly listed: ListedFile | undefined;
}

/** Which of the files that were found are the history, in order, and which listed ones are missing. */
export interface Choice {
  readonly chosen: readonly ChosenFile[];
  readonly missing: readonly string[];
}

/**
 * Chooses the files that are the history. Where the folder's list is there, it says which; besides, whatever the inbox or an
 * import brought after the list was written, of which a crash kept the database from telling. Without a list it is every file
 * that no other one replaced.
 */
export function chooseFiles(found: readonly FoundFile[], said: StoreFile | undefined): Choice {
  return said === undefined ? withoutList(found) : withList(found, said);
}

function withList(found: readonly FoundFile[], said: StoreFile): Choice {
  const byName = new Map(found.map((one) => [one.name, one]));
  const listed = said.history.flatMap((entry): ChosenFile[] => {
    const one = byName.get(entry.name);
    return one === undefined ? [] : [{ ...one, listed: entry }];
  });
  const names = new Set(said.history.map(({ name }) => name));
  const later = found.filter(
    ({ name, facts }) =>
      !names.has(name) &&
      facts?.storeId === said.storeId &&
      facts.generation > said.generation &&
      facts.replaces.length === 0,
  );
  return {
    chosen: [...listed, ...inOrder(later).map((one) => ({ ...one, listed: undefined }))],
    missing: said.history.map(({ name }) => name).filter((name) => !byName.has(name)),
  };
}

function withoutList(found: readonly FoundFile[]): Choice {
  const replaced = new Set(found.flatMap(({ facts }) => facts?.replaces ?? []));
  const left = found.filter(({ name }) => !replaced.has(name));
  return {
    chosen: inOrder(left).map((one) => ({ ...one, listed: undefined })),
    missing: [],
  };
}

/** The order of coming, as far as files tell it. */
function inOrder(files: readonly FoundFile[]): FoundFile[] {
  return [...files].sort(
    (a, b) => (a.facts?.generation ?? 0) - (b.facts?.generation ?? 0) || (a.name < b.name ? -1 : 1),
  );
}
