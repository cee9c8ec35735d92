import type { Catalogue } from "../../src/features/catalogue.ts";
import { is, isAfter } from "../../src/features/condition.ts";
import { FACT_KINDS } from "../../src/features/fact.ts";
import type { FeatureService } from "../../src/features/feature-service.ts";
import {
  type AggregatedFeature,
  count,
  daysSinceLast,
  type FeatureView,
  sum,
} from "../../src/features/feature-view.ts";
import type { Instants, Relation } from "../../src/features/relation.ts";
import { FEATURES } from "./measured.ts";

/** What a table of events calls things. */
export interface Names {
  readonly bought: string;
  readonly viewed: string;
  readonly carted: string;
  /** The column of an event's session, or the relation of sessions: rows with `session` and `at_ms`. */
  readonly session: string | ((instants: Instants) => readonly (readonly [string, string])[]);
}

/** The flat file: its own session ids. */
export const FLAT: Names = {
  bought: "purchase",
  viewed: "view",
  carted: "cart",
  session: "session_id",
};

/** Herkoop's facts: a session ends where nothing happens for longer than half an hour. */
export const FACTS: Names = {
  bought: "Order Completed",
  viewed: "Product Viewed",
  carted: "Product Added",
  session: (instants) => [
    [
      "spaced",
      `SELECT customer_id, occurred_at_ms AS at_ms,
              occurred_at_ms - lag(occurred_at_ms) OVER (PARTITION BY customer_id ORDER BY occurred_at_ms) AS silence
       FROM ${seen(instants)}`,
    ],
    [
      "session",
      `SELECT customer_id, at_ms, sum(CASE WHEN silence <= 1800000 THEN 0 ELSE 1 END) OVER (PARTITION BY customer_id ORDER BY at_ms) AS session
       FROM spaced`,
    ],
  ],
};

/** Every event is seen, of whatever kind. */
function seen(instants: Instants): string {
  return instants.visible(FACT_KINDS);
}

function relation(name: string, sql: Relation["sql"], scales: Relation["scales"] = {}): Relation {
  const rows = (): never => {
    throw new Error(`${name} is read by SQL alone`);
  };
  return { name, kinds: [], scales, hasFirstAt: false, onlyGrows: true, sql, rows };
}

/** The thirteen features as views, and whom they are of: every customer with an event. */
export function thirteen(names: Names): {
  readonly catalogue: Catalogue;
  readonly service: FeatureService;
} {
  const { session } = names;
  const isColumn = typeof session === "string";
  const event = relation("event", (instants) => [
    [
      "event",
      `SELECT customer_id, event, product, category, price AS amount, occurred_at_ms AS at_ms${isColumn ? `, ${session} AS session` : ""}
       FROM ${seen(instants)}`,
    ],
  ]);
  return {
    catalogue: {
      relations: isColumn ? [event] : [event, relation("session", session)],
      views: viewsOf(names),
      derived: [],
    },
    service: { name: "thirteen", version: 1, entity: "customer", features: FEATURES },
  };
}

function told(name: string): { readonly name: string; readonly meaning: string } {
  return { name, meaning: `see FEATURES in measured.ts` };
}

function viewsOf({ bought, viewed, carted, session }: Names): FeatureView[] {
  const buys = is("event", bought);
  const of = { entity: "customer", relation: "event" } as const;
  const gap = (name: string, statistic: "mean" | "std"): AggregatedFeature => ({
    ...told(name),
    unit: "days",
    whenUnknown: null,
    aggregation: { kind: "gap", statistic },
  });
  return [
    {
      ...of,
      name: "events",
      features: [
        count(told("n_events")),
        daysSinceLast(told("recency"), buys),
        count(told("frequency"), { where: buys }),
        sum({ ...told("monetary"), unit: "amount" }, "amount", { where: buys }),
        daysSinceLast(told("view_days"), is("event", viewed)),
      ],
    },
    {
      ...of,
      name: "categories",
      where: is("event", viewed),
      per: ["category"],
      features: [count(told("n_cat"))],
    },
    {
      entity: "customer",
      relation: typeof session === "string" ? "event" : "session",
      name: "sessions",
      per: ["session"],
      features: (["1", "7", "30", "90"] as const).map((days) =>
        count(told(`sessions_${days}`), { within: `${Number(days)}d` }),
      ),
    },
    {
      ...of,
      name: "rhythm",
      where: buys,
      gap: "at_ms",
      features: [gap("ip_mean", "mean"), gap("ip_std", "std")],
    },
    {
      ...of,
      name: "carts",
      where: is("event", carted, bought),
      per: ["product"],
      measures: [
        { name: "carted_at", kind: "last_at", where: is("event", carted) },
        { name: "bought_at", kind: "last_at", where: buys },
      ],
      features: [count(told("open_carts"), { where: isAfter("carted_at", "bought_at") })],
    },
  ];
}

/** Every event before the cutoff, where facts have no kind. */
export function seeingAll(instants: Instants): Instants {
  const before = `occurred_at_ms < ${instants.cutoff} AND known_at_ms < ${instants.cutoff}`;
  return { ...instants, visible: () => `(SELECT * FROM fact WHERE ${before})` };
}
