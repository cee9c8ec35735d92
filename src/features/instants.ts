import { DAY_MS } from "../base/index.ts";
import type { Dialect } from "./dialect.ts";
import type { Instants } from "./relation.ts";

/** One cutoff (epoch ms) for everybody, or for those of whom a test on a fact's `customer_id` holds. */
export function atCutoff(cutoff: number, dialect: Dialect, whose?: string): Instants {
  return {
    dialect,
    cutoff: String(cutoff),
    keys: [],
    visible: (kinds, lookbackDays, isEverybodys = false) => {
      const since =
        lookbackDays === undefined
          ? ""
          : ` AND occurred_at_ms >= ${cutoff - lookbackDays * DAY_MS}`;
      const theirs = whose === undefined || isEverybodys ? "" : ` AND ${whose}`;
      return `(SELECT * FROM fact WHERE ${kindIn("kind", kinds, dialect)} AND occurred_at_ms < ${cutoff} AND known_at_ms < ${cutoff}${since}${theirs})`;
    },
  };
}

/** Each row's own cutoff: the table `instant` (customer_id, cutoff_ms) says of whom, when. */
export function atEachRow(dialect: Dialect): Instants {
  return {
    dialect,
    cutoff: "cutoff_ms",
    keys: ["cutoff_ms"],
    visible: (kinds, lookbackDays) => {
      const since =
        lookbackDays === undefined
          ? ""
          : ` AND f.occurred_at_ms >= i.cutoff_ms - ${lookbackDays * DAY_MS}`;
      return `(SELECT f.*, i.cutoff_ms FROM fact f JOIN instant i ON i.customer_id = f.customer_id
        WHERE ${kindIn("f.kind", kinds, dialect)} AND f.occurred_at_ms < i.cutoff_ms AND f.known_at_ms < i.cutoff_ms${since})`;
    },
  };
}

function kindIn(column: string, kinds: readonly string[], dialect: Dialect): string {
  return `${column} IN (${kinds.map((kind) => dialect.text(kind)).join(", ")})`;
}
