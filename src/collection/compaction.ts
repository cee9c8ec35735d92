/** A history file as compaction sees it. */
export interface CompactableFile {
  readonly name: string;
  /** Only files of the same group become one. */
  readonly group: string;
  readonly bytes: number;
}

/** From when on files are merged. */
export interface CompactionLimits {
  /** So many adjacent small files become one. */
  readonly filesMin: number;
  /** A file of this size or more is left as it is. */
  readonly fullBytes: number;
  /** No more files than this become one at a time. */
  readonly filesMax: number;
}

export const COMPACTION_LIMITS: CompactionLimits = {
  filesMin: 8,
  fullBytes: 64 * 2 ** 20,
  filesMax: 512,
};

/** Files below this size are all of the lowest level. */
const LOWEST_LEVEL_BYTES = 16 * 2 ** 10;

/**
 * The next files to merge, adjacent ones of one group in their order; undefined where there are not
 * enough small ones together. Size-tiered: a level holds files up to `filesMin` times as big as the
 * one below, the lowest level goes first, and the biggest file of a merge is no bigger than the others
 * together. So a byte is written again about once per level, however small the files come, and of N
 * bytes O(log N) small files are left.
 */
export function planCompaction(
  files: readonly CompactableFile[],
  limits: CompactionLimits = COMPACTION_LIMITS,
): readonly CompactableFile[] | undefined {
  const groups = [...new Set(files.map((file) => file.group))].map((group) =>
    files.filter((file) => file.group === group),
  );
  const levels = [...new Set(files.map((file) => levelOf(file, limits)))].sort((a, b) => a - b);
  for (const level of levels) {
    for (const group of groups) {
      const found = mergeableRun(group, level, limits);
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

/** Infinity for a file that is full. */
function levelOf(file: CompactableFile, { fullBytes, filesMin }: CompactionLimits): number {
  if (file.bytes >= fullBytes) {
    return Number.POSITIVE_INFINITY;
  }
  const steps = Math.log(file.bytes / LOWEST_LEVEL_BYTES) / Math.log(filesMin);
  return Math.max(0, Math.floor(steps));
}

/** The first run of adjacent files up to a level that is worth merging. */
function mergeableRun(
  group: readonly CompactableFile[],
  level: number,
  limits: CompactionLimits,
): readonly CompactableFile[] | undefined {
  if (level === Number.POSITIVE_INFINITY) {
    return undefined;
  }
  let run: CompactableFile[] = [];
  let bytes = 0;
  for (const file of group) {
    const isSmall = levelOf(file, limits) <= level;
    const isEnough = run.length >= limits.filesMax || bytes >= limits.fullBytes;
    if (!isSmall || isEnough) {
      if (isWorthwhile(run, limits)) {
        return run;
      }
      run = [];
      bytes = 0;
    }
    if (isSmall) {
      run.push(file);
      bytes += file.bytes;
    }
  }
  return isWorthwhile(run, limits) ? run : undefined;
}

function isWorthwhile(run: readonly CompactableFile[], limits: CompactionLimits): boolean {
  const bytes = run.map((file) => file.bytes);
  const total = bytes.reduce((sum, size) => sum + size, 0);
  return run.length >= limits.filesMin && 2 * Math.max(...bytes) <= total;
}
