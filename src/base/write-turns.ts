import { performance } from "node:perf_hooks";
import { busyInWords, isBusy } from "./busy.ts";
import { type Sqlite, withoutWaiting, writeTransaction } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** Resolves after a time. An argument, so that tests decide how long that is. */
export type Pause = (milliseconds: number) => Promise<void>;

/** The machine's timer. */
export const systemPause: Pause = (milliseconds) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How long a writer waits for others, in milliseconds of pauses. */
export interface Patience {
  readonly waitMs?: number;
  readonly pause?: Pause;
}

const WAIT_MS = 10_000;

/** Writers in turns leave gaps of `GAP_MS`: whoever asks this often finds one. */
const ASK_AGAIN_MS_MAX = 3;

/**
 * Runs a short write, and again after a pause while another process writes, so that the event loop goes on meanwhile.
 * The work must change nothing where it finds the database busy, as a write transaction does. Throws `busy` after
 * `waitMs` (10 s unless given).
 */
export async function whenFree<T>(
  sqlite: Sqlite,
  work: () => T,
  { waitMs = WAIT_MS, pause = systemPause }: Patience = {},
): Promise<T> {
  const blockedMs = waitedForMs(sqlite);
  let waited = 0;
  for (let step = 1; ; step = Math.min(step + 1, ASK_AGAIN_MS_MAX)) {
    try {
      return work();
    } catch (error) {
      waited += step + blockedMs;
      if (!isBusy(error) || waited >= waitMs) {
        throw busyInWords(error);
      }
      await pause(step);
    }
  }
}

/** One write transaction, once no other process writes: `writeTransaction` that waits off the event loop. */
export async function writeWhenFree<T>(
  sqlite: Sqlite,
  work: () => T,
  patience?: Patience,
): Promise<T> {
  return whenFree(sqlite, () => writeTransaction(sqlite, work), patience);
}

/** How writing in turns divides its work. */
export interface Turns {
  /** From how long on a turn ends, in milliseconds. */
  readonly turnMs?: number;
  /** How many steps a turn has at most. */
  readonly stepsMax?: number;
  readonly pause?: Pause;
  /** Milliseconds from any start. */
  readonly now?: () => number;
}

const TURN_MS = 10;

/** Of a connection that `waitOffLoop`: its turns hold up what it serves, too. */
const SERVING_TURN_MS = 3;

/** The lock is free for so long between two turns: SQLite gives it to whoever asks then. */
const GAP_MS = 4;

/**
 * Calls `step`, which writes a little and says whether there is more, in transactions that hold the write lock for about
 * `turnMs`; between two of them others write. Others see each turn, so a step leaves nothing half done. What was written
 * is durable with the next commit that waits for the disk. Throws `busy`; the turns before stay.
 */
export async function writeTurns(
  store: Store,
  step: () => boolean,
  {
    turnMs = waitedForMs(store.sqlite) > 0 ? TURN_MS : SERVING_TURN_MS,
    stepsMax = Number.POSITIVE_INFINITY,
    pause = systemPause,
    now = () => performance.now(),
  }: Turns = {},
): Promise<void> {
  const { sqlite } = store;
  const turn = (): boolean => {
    const end = now() + turnMs;
    for (let steps = 1; ; steps++) {
      if (!step()) {
        return false;
      }
      if (steps >= stepsMax || now() >= end) {
        return true;
      }
    }
  };
  let isMore = true;
  while (isMore) {
    isMore = await whenFree(
      sqlite,
      () => withoutWaiting(sqlite, () => writeTransaction(sqlite, turn)),
      { pause },
    );
    await pause(GAP_MS);
  }
}

/** Writes each of the items in turns, in their order, as `writeTurns` does. */
export async function writeInTurns<T>(
  store: Store,
  items: readonly T[],
  writeOne: (item: T) => void,
  turns?: Turns,
): Promise<void> {
  let next = 0;
  const step = (): boolean => {
    for (const item of items.slice(next, next + 1)) {
      writeOne(item);
    }
    return ++next < items.length;
  };
  if (items.length > 0) {
    await writeTurns(store, step, turns);
  }
}

/** How long a connection itself waits for others, while the event loop stands still. */
function waitedForMs(sqlite: Sqlite): number {
  return Number(sqlite.pragma("busy_timeout", { simple: true }));
}
