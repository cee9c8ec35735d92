import type { Row } from "../condition.ts";
import { type Fact, LOOKBACK_DAYS } from "../fact.ts";
import { listed, type Relation } from "../relation.ts";
import { browsingOf } from "./browse.ts";

/** A session ends where nothing is looked at for longer than this, as Google Analytics has it. */
const SESSION_SILENCE_MS = 1_800_000;

/** What a customer looked at in the last 90 days, by `session`, numbered from 1. */
export const sessionEvent: Relation = {
  name: "session_event",
  kinds: ["browse"],
  scales: {},
  hasFirstAt: false,
  onlyGrows: false,
  sql: (instants) => {
    const key = `customer_id${listed(instants.keys)}`;
    return [
      [
        "spaced_event",
        `SELECT ${key}, event, occurred_at_ms AS at_ms,
                occurred_at_ms - lag(occurred_at_ms) OVER (PARTITION BY ${key} ORDER BY occurred_at_ms) AS silence
         FROM ${instants.visible(["browse"], LOOKBACK_DAYS)}`,
      ],
      [
        "session_event",
        // The default frame takes all rows of the same instant together, so their order does not matter.
        `SELECT ${key}, event, at_ms,
                sum(CASE WHEN silence <= ${SESSION_SILENCE_MS} THEN 0 ELSE 1 END) OVER (PARTITION BY ${key} ORDER BY at_ms) AS session
         FROM spaced_event`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    let last: Row | undefined;
    return browsingOf(facts, cutoff).map((fact) => (last = after(fact, last)));
  },
  next: (fact, before) => after(fact, before.at(-1)),
};

function after({ event, at_ms }: Fact, last: Row | undefined): Row {
  const session = Number(last?.["session"] ?? 0);
  const isOver = last === undefined || at_ms - Number(last["at_ms"]) > SESSION_SILENCE_MS;
  return { event, at_ms, session: isOver ? session + 1 : session };
}
