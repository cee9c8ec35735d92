import type { Store } from "../../src/base/index.ts";

/** Makes the identity graph's tables as far as duplicates need them, where no migration has made them. */
export function ensureIdentityTables({ sqlite }: Store): void {
  const columns = sqlite.pragma("table_info(identifier)") as { readonly name: string }[];
  if (!columns.some(({ name }) => name === "id")) {
    sqlite.exec(`
      ALTER TABLE identifier RENAME TO identifier_before;
      CREATE TABLE identifier (
        id INTEGER PRIMARY KEY, type TEXT NOT NULL, value TEXT NOT NULL, customer_id INTEGER NOT NULL,
        source TEXT NOT NULL, first_seen_at INTEGER NOT NULL, linked_at INTEGER NOT NULL DEFAULT 0, UNIQUE (type, value)) STRICT;
      INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) SELECT * FROM identifier_before;
      DROP TABLE identifier_before;
      CREATE TABLE trait (
        identifier_id INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, source TEXT NOT NULL,
        occurred_at INTEGER NOT NULL, known_at INTEGER NOT NULL, PRIMARY KEY (identifier_id, name)) STRICT`);
  }
}

/** Adds a customer with a user id and traits; returns the id of its identifier. */
export function addCustomer(
  store: Store,
  userId: string,
  traits: Readonly<Record<string, unknown>>,
): number {
  const { sqlite } = store;
  const customer = Number(
    sqlite.prepare("INSERT INTO customer (first_seen_at) VALUES (0)").run().lastInsertRowid,
  );
  const identifier = Number(
    sqlite
      .prepare(
        "INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES ('user_id', ?, ?, 'shop', 0, 0)",
      )
      .run(userId, customer).lastInsertRowid,
  );
  for (const [name, value] of Object.entries(traits)) {
    sqlite
      .prepare(
        "INSERT INTO trait (identifier_id, name, value, source, occurred_at, known_at) VALUES (?, ?, ?, 'shop', 0, 0)",
      )
      .run(identifier, name, JSON.stringify(value));
  }
  return identifier;
}

/** Adds a pair under review, of two new customers; returns its id. */
export function addDuplicate(store: Store): number {
  ensureIdentityTables(store);
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
