import type { Store } from "../../src/base/index.ts";

/** Adds a customer with an identifier (a user id unless said) and traits; returns the id of its identifier, which is also its own. */
export function addCustomer(
  store: Store,
  value: string,
  traits: Readonly<Record<string, unknown>>,
  type = "user_id",
): number {
  const { sqlite } = store;
  const identifier = Number(
    sqlite
      .prepare(
        "INSERT INTO identifier (type, value, source, first_seen_at) VALUES (?, ?, 'shop', 0)",
      )
      .run(type, value).lastInsertRowid,
  );
  sqlite.prepare("INSERT INTO customer (id, first_seen_at) VALUES (?, 0)").run(identifier);
  sqlite.prepare("UPDATE identifier SET customer_id = id WHERE id = ?").run(identifier);
  for (const [name, value] of Object.entries(traits)) {
    sqlite
      .prepare("INSERT INTO trait VALUES (?, ?, ?, 'shop', 0, 0)")
      .run(identifier, name, JSON.stringify(value));
  }
  return identifier;
}

/** Adds a pair under review, of two new customers; returns its id. */
export function addDuplicate(store: Store): number {
  const ids = ["one", "two"].map((name) => addCustomer(store, `pair-${name}`, { firstName: name }));
  const explanation = {
    prior: -12,
    comparisons: [{ comparison: "given_name", level: "equal", weight: 15.5 }],
    household: -0.5,
  };
  return Number(
    store.sqlite
      .prepare(
        `INSERT INTO duplicate (left_identifier_id, right_identifier_id, match_weight, probability, explanation, found_at)
         VALUES (?, ?, 3, 0.8889, ?, 0)`,
      )
      .run(...ids, JSON.stringify(explanation)).lastInsertRowid,
  );
}
