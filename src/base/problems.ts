/** Something that needs a person, in words: what is wrong and what to do. */
export interface Problem {
  /** Tells problems of one kind from others, such as `not-sealed`. */
  readonly code: string;
  readonly message: string;
}

/** What is wrong in a running server now, one problem a code; health tells of them. */
export interface Problems {
  report(code: string, message: string): void;
  /** Ends the problem of this code; nothing where there is none. */
  clear(code: string): void;
  /** By code. */
  list(): readonly Problem[];
}

/** No problems yet. */
export function createProblems(): Problems {
  const messages = new Map<string, string>();
  return {
    report: (code, message) => void messages.set(code, message),
    clear: (code) => void messages.delete(code),
    list: () =>
      [...messages]
        .map(([code, message]) => ({ code, message }))
        .sort((a, b) => (a.code < b.code ? -1 : 1)),
  };
}
