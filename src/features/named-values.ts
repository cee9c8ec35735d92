import type { FeatureService } from "./feature-service.ts";

type NamedValues = Record<string, number | null>;

/**
 * Makes records of the given names, all null. A copy of one that has them: filled name by name, a record of a service's
 * size is made anew several times, at ten times the memory.
 */
export function recordsOf(names: Iterable<string>): () => NamedValues {
  const blank: NamedValues = {};
  for (const name of names) {
    blank[name] = null;
  }
  return () => ({ ...blank });
}

const records = new WeakMap<FeatureService, () => NamedValues>();

/** A row of a service's features by their names. */
export function byName(service: FeatureService, row: readonly (number | null)[]): NamedValues {
  const blank = records.get(service) ?? recordsOf(service.features);
  records.set(service, blank);
  const values = blank();
  for (const [index, name] of service.features.entries()) {
    values[name] = row[index] ?? null;
  }
  return values;
}
