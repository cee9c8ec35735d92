import { DAY_MS } from "../base/index.ts";

/** Values by feature name; null is unknown. */
export type Values = Readonly<Record<string, number | null>>;

/** A number made of other features of the same row, said once for SQL and for memory; unknown if any part is. */
export interface Expression {
  /** `cutoff` is SQL for the cutoff in epoch ms. */
  sql(cutoff: string): string;
  evaluate(values: Values, cutoff: number): number | null;
  /** The features it reads. */
  readonly reads: readonly string[];
}

type Part = Expression | string;

function partOf(part: Part): Expression {
  return typeof part === "string" ? feature(part) : part;
}

function feature(name: string): Expression {
  return { sql: () => name, evaluate: (values) => values[name] ?? null, reads: [name] };
}

/** One part over another; unknown where the other is zero. */
export function ratio(above: Part, below: Part): Expression {
  const [a, b] = [partOf(above), partOf(below)];
  return {
    sql: (cutoff) =>
      `CAST(${a.sql(cutoff)} AS DOUBLE) / nullif(CAST(${b.sql(cutoff)} AS DOUBLE), 0)`,
    evaluate: (values, cutoff) => {
      const [x, y] = [a.evaluate(values, cutoff), b.evaluate(values, cutoff)];
      return x === null || y === null || y === 0 ? null : x / y;
    },
    reads: [...a.reads, ...b.reads],
  };
}

/** One part less another. */
export function difference(from: Part, less: Part): Expression {
  const [a, b] = [partOf(from), partOf(less)];
  return {
    sql: (cutoff) => `(${a.sql(cutoff)} - ${b.sql(cutoff)})`,
    evaluate: (values, cutoff) => {
      const [x, y] = [a.evaluate(values, cutoff), b.evaluate(values, cutoff)];
      return x === null || y === null ? null : x - y;
    },
    reads: [...a.reads, ...b.reads],
  };
}

/** The part times a constant. */
export function times(part: Part, factor: number): Expression {
  const a = partOf(part);
  return {
    sql: (cutoff) => `(CAST(${a.sql(cutoff)} AS DOUBLE) * ${factor})`,
    evaluate: (values, cutoff) => {
      const x = a.evaluate(values, cutoff);
      return x === null ? null : x * factor;
    },
    reads: a.reads,
  };
}

/** The part, or the bound where it is below. */
export function atLeast(part: Part, bound: number): Expression {
  const a = partOf(part);
  return {
    sql: (cutoff) =>
      `CASE WHEN ${a.sql(cutoff)} < ${bound} THEN ${bound} ELSE ${a.sql(cutoff)} END`,
    evaluate: (values, cutoff) => {
      const x = a.evaluate(values, cutoff);
      return x === null ? null : Math.max(x, bound);
    },
    reads: a.reads,
  };
}

/** The part, or the bound where it is above. */
export function atMost(part: Part, bound: number): Expression {
  const a = partOf(part);
  return {
    sql: (cutoff) =>
      `CASE WHEN ${a.sql(cutoff)} > ${bound} THEN ${bound} ELSE ${a.sql(cutoff)} END`,
    evaluate: (values, cutoff) => {
      const x = a.evaluate(values, cutoff);
      return x === null ? null : Math.min(x, bound);
    },
    reads: a.reads,
  };
}

/** Where the cutoff stands in a cycle of so many days that began at the epoch plus `offsetDays`: its sine or cosine. */
export function cyclic(wave: "sin" | "cos", cycleDays: number, offsetDays = 0): Expression {
  const cycleMs = cycleDays * DAY_MS;
  const offsetMs = offsetDays * DAY_MS;
  return {
    sql: (cutoff) =>
      `${wave}(CAST((${cutoff} - ${offsetMs}) % ${cycleMs} AS DOUBLE) * ${2 * Math.PI} / ${cycleMs}.0)`,
    evaluate: (_, cutoff) =>
      Math[wave]((((cutoff - offsetMs) % cycleMs) * (2 * Math.PI)) / cycleMs),
    reads: [],
  };
}
