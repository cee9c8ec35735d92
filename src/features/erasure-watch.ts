import type { Store } from "../base/index.ts";
import { historyFiles } from "../collection/index.ts";
import { listErasures } from "../customers/index.ts";

/**
 * Watches over a reading of the history from now on. The answer, asked when it is done: whether an erasure may
 * have taken rows out of what was read, so that what was made of it must not be kept.
 */
export function watchErasure(store: Store): () => boolean {
  const files = historyFiles(store);
  const before = listErasures(store);
  const isUnderWay = (erasures: typeof before): boolean =>
    erasures.some(({ finishedAt }) => finishedAt === null);
  return () => {
    const listed = new Set(historyFiles(store));
    const now = listErasures(store);
    return (
      files.some((name) => !listed.has(name)) &&
      (now.length > before.length || isUnderWay(before) || isUnderWay(now))
    );
  };
}
