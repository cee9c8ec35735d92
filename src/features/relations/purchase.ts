import { DAY_MS } from "../../base/index.ts";
import type { Row } from "../condition.ts";
import { type Fact, SCALE } from "../fact.ts";
import { calendarOf, calendarSql, type Instants, listed, type Relation } from "../relation.ts";
import { seenOf } from "./browse.ts";

/**
 * What a customer bought of a product on a UTC day, less what was taken back of it before the cutoff.
 */
export const purchase: Relation = {
  name: "purchase",
  kinds: ["order", "refund"],
  scales: { quantity: SCALE, amount: SCALE },
  hasFirstAt: true,
  onlyGrows: true,
  sql: (instants) => {
    const { keys } = instants;
    const more = listed(keys);
    return [
      [
        "taken_back",
        `SELECT line_key${more}, CAST(sum(quantity) AS BIGINT) AS quantity
         FROM ${instants.visible(["refund"], undefined, true)} WHERE line_key IS NOT NULL GROUP BY line_key${more}`,
      ],
      ["purchase_line", purchaseLineSql(instants)],
      [
        "purchase",
        `SELECT customer_id${more}, product, max(category) AS category, max(channel) AS channel,
                CAST(sum(quantity) AS BIGINT) AS quantity,
                CAST(sum(CAST(round(CAST(quantity AS DOUBLE) * price) AS BIGINT)) AS BIGINT) AS amount,
                max(at_ms) AS at_ms, min(at_ms) AS first_at_ms, ${calendarSql("max(at_ms)", instants)}
         FROM purchase_line GROUP BY customer_id${more}, product, purchase_day`,
      ],
    ];
  },
  rows: (facts, cutoff) => rowsOf(netLines(facts, cutoff)),
  next: (fact, before) => {
    const quantity = fact.quantity ?? 0;
    if (fact.kind !== "order" || quantity <= 0 || isBoughtOnDay(fact, before)) {
      return undefined;
    }
    return rowOf(dayOf({ fact, quantity }));
  },
};

/** Whether any of the fact's product was bought on its day already, in rows of which none is of a later day. */
function isBoughtOnDay({ day, product }: Fact, rows: readonly Row[]): boolean {
  const first = rows.findLastIndex((row) => row["day"] !== day) + 1;
  return rows.slice(first).some((row) => (row["product"] ?? "") === (product ?? ""));
}

function purchaseLineSql(instants: Instants): string {
  const { keys, dialect } = instants;
  const on = ["line_key", ...keys].map((key) => `b.${key} = o.${key}`).join(" AND ");
  return `SELECT o.customer_id${listed(keys, "o.")}, o.product, o.category, o.channel, o.price, o.occurred_at_ms AS at_ms,
            CAST(${dialect.quotient("o.occurred_at_ms", DAY_MS)} AS INTEGER) AS purchase_day,
            o.quantity - coalesce(b.quantity, 0) AS quantity
          FROM ${instants.visible(["order"])} o LEFT JOIN taken_back b ON ${on}
          WHERE o.quantity - coalesce(b.quantity, 0) > 0`;
}

interface NetLine {
  readonly fact: Fact;
  readonly quantity: number;
}

function netLines(facts: readonly Fact[], cutoff: number): NetLine[] {
  const takenBack = new Map<string, number>();
  for (const { line_key, quantity } of seenOf(facts, ["refund"], cutoff)) {
    if (line_key !== null) {
      takenBack.set(line_key, (takenBack.get(line_key) ?? 0) + (quantity ?? 0));
    }
  }
  return seenOf(facts, ["order"], cutoff).flatMap((fact) => {
    const back = fact.line_key === null ? 0 : (takenBack.get(fact.line_key) ?? 0);
    const quantity = (fact.quantity ?? 0) - back;
    return quantity > 0 ? [{ fact, quantity }] : [];
  });
}

interface PurchaseDay {
  readonly product: string | null;
  readonly day: number;
  category: string | null;
  channel: string | null;
  quantity: number;
  amount: number;
  at_ms: number;
  first_at_ms: number;
}

function rowsOf(lines: readonly NetLine[]): Row[] {
  const days = new Map<string, PurchaseDay>();
  for (const { fact, quantity } of lines) {
    const key = `${fact.day} ${fact.product ?? ""}`;
    const one = days.get(key);
    if (one === undefined) {
      days.set(key, dayOf({ fact, quantity }));
      continue;
    }
    one.category = greater(one.category, fact.category);
    one.channel = greater(one.channel, fact.channel);
    one.quantity += quantity;
    one.amount += amountOf({ fact, quantity });
    one.at_ms = Math.max(one.at_ms, fact.at_ms);
    one.first_at_ms = Math.min(one.first_at_ms, fact.at_ms);
  }
  return [...days.values()].sort((a, b) => a.at_ms - b.at_ms).map(rowOf);
}

function dayOf(line: NetLine): PurchaseDay {
  const { product, day, category, channel, at_ms } = line.fact;
  const { quantity } = line;
  return {
    product,
    day,
    category,
    channel,
    quantity,
    amount: amountOf(line),
    at_ms,
    first_at_ms: at_ms,
  };
}

function amountOf({ fact, quantity }: NetLine): number {
  return Math.round(quantity * (fact.price ?? 0));
}

function rowOf(one: PurchaseDay): Row {
  return { ...one, ...calendarOf(one.at_ms) };
}

/** The later of two texts by code points; what is known, where one is not. */
function greater(a: string | null, b: string | null): string | null {
  if (a === null || b === null) {
    return a ?? b;
  }
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0 ? a : b;
}
