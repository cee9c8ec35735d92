/**
 * What went wrong, in terms a caller can act on. The web layer turns the code into a status, the
 * CLI into an exit code; everything that is not a ServiceError is a bug and keeps its stack.
 */
export type ErrorCode =
  | "invalid-input"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "too-large"
  | "timed-out"
  | "misdirected"
  | "method-not-allowed"
  | "overloaded"
  | "not-ready"
  | "conflict"
  | "damaged"
  | "busy"
  | "cancelled";

export interface ErrorDetails {
  /** The input field at fault, as the user wrote it. */
  readonly field?: string;
  readonly cause?: unknown;
}

/** An error a user can cause and mend. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ServiceError";
    this.code = code;
    this.field = details.field;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** "did you mean": the candidates nearest to `given`, at most three; first those that hold it, then those with all its words. */
export function nearest(given: string, candidates: readonly string[]): string[] {
  return candidates
    .map((candidate) => ({
      candidate,
      rank: candidate.includes(given) ? 0 : hasWords(candidate, given) ? 1 : 2,
      distance: editDistance(given, candidate),
    }))
    .sort(
      (a, b) =>
        a.rank - b.rank || a.distance - b.distance || a.candidate.localeCompare(b.candidate),
    )
    .slice(0, 3)
    .map((scored) => scored.candidate);
}

function hasWords(candidate: string, given: string): boolean {
  const words = candidate.split(/[^a-z0-9]+/i);
  return given.split(/[^a-z0-9]+/i).every((word) => words.includes(word));
}

/** Levenshtein distance (Levenshtein 1966), by rows. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
