import type { Condition } from "./condition.ts";
import type { Window } from "./window.ts";

/** Which rows an aggregation sees; all of the view's unless said. */
export interface Selection {
  readonly where?: Condition;
  readonly within?: Window;
}

/** How a feature's number comes out of the rows of a view. */
export type Aggregation =
  | ({ readonly kind: "count" } & Selection)
  /** The number of rows over that of all entities: only of the population, whose views see everybody. */
  | ({ readonly kind: "share_of_all" } & Selection)
  | ({ readonly kind: "sum" | "mean" | "minimum" | "maximum"; readonly of: string } & Selection)
  /** The latest that is known; of several at the same instant, the greatest. */
  | { readonly kind: "last"; readonly of: string }
  | { readonly kind: "share"; readonly of: Condition; readonly within?: Window }
  | ({ readonly kind: "days_since_last" | "days_since_first" } & Selection)
  | { readonly kind: "gap"; readonly statistic: GapStatistic };

/** `last` is the gap before the latest row, 0 where another one is of the same instant. */
export type GapStatistic = "mean" | "std" | "median" | "last" | "max";
