/** Lets everything else that waits for the event loop go first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Values in lots of so many, each in a turn of its own: for long work beside serving. */
export async function* inTurns<T>(values: Iterable<T>, size: number): AsyncGenerator<T[]> {
  let lot: T[] = [];
  for (const value of values) {
    lot.push(value);
    if (lot.length === size) {
      yield lot;
      lot = [];
      await nextTurn();
    }
  }
  yield lot;
}
