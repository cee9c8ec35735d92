import { availableParallelism } from "node:os";
import { startThread } from "../base/index.ts";
import type { Artifact, Dataset, TensorBackend } from "../models/index.ts";
import { type ScoredRows, scoreRows } from "./score-rows.ts";
import type { ScoringThread } from "./score-worker.ts";

/** A piece of rows with what was said of it. */
export interface ScoredPiece {
  readonly rows: Dataset;
  readonly scored: ScoredRows;
}

/** Scoring threads start only where there are more pieces than this: a start takes about a second each. */
const PIECES_WITHOUT_THREADS = 3;

/**
 * Scores pieces of rows as they come and yields them in their order. The first few are scored here; where more
 * follow, in as many worker threads as the machine has cores (four at most), each at one piece.
 */
export async function* scorePieces(
  backend: TensorBackend,
  thread: ScoringThread,
  artifact: Artifact,
  pieces: AsyncIterable<Dataset>,
): AsyncGenerator<ScoredPiece> {
  const waiting: Promise<ScoredPiece>[] = [];
  const workers: ScoringWorker[] = [];
  let count = 0;
  try {
    for await (const rows of pieces) {
      count++;
      if (count <= PIECES_WITHOUT_THREADS) {
        yield { rows, scored: await scoreRows(backend, artifact, rows) };
        continue;
      }
      if (workers.length === 0) {
        const threads = Math.min(4, Math.max(1, availableParallelism()));
        workers.push(...Array.from({ length: threads }, () => openWorker(thread)));
      }
      if (waiting.length === workers.length) {
        const first = waiting.shift();
        if (first !== undefined) {
          yield await first;
        }
      }
      const worker = workers[count % workers.length];
      if (worker !== undefined) {
        waiting.push(worker.score(rows).then((scored) => ({ rows, scored })));
      }
    }
    for (const one of waiting) {
      yield await one;
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

interface ScoringWorker {
  /** Not called again before it answered. */
  score(rows: Dataset): Promise<ScoredRows>;
  close(): Promise<void>;
}

function openWorker(thread: ScoringThread): ScoringWorker {
  const worker = startThread(new URL("./score-worker.ts", import.meta.url), { ...thread });
  return {
    score: (rows) =>
      new Promise((resolve, reject) => {
        worker.once("error", reject);
        worker.once("message", (scored: ScoredRows) => {
          worker.off("error", reject);
          resolve(scored);
        });
        worker.postMessage(rows);
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}
