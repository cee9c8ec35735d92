import { quoted, type Sqlite, type Store } from "../../base/index.ts";
import { findCustomerId } from "../customer-store.ts";
import { blocker, type Identifier } from "../identity-rules.ts";
import { readIdentityRules } from "../identity-rules-store.ts";
import { openIdentity } from "../identity-store.ts";
import { identifiersOf, type SeenLine } from "../observation.ts";

/** One person in a store: everything by which rows are theirs. */
export interface Person {
  /** The customer's number first, then those of customers that were merged into it. */
  readonly customerIds: readonly number[];
  readonly identifierIds: readonly number[];
  readonly identifiers: readonly Identifier[];
}

/** Columns of a table that say whose a row is. */
export interface PersonTable {
  readonly table: string;
  readonly customerColumns: readonly string[];
  readonly identifierColumns: readonly string[];
}

/** The person behind an identifier. Throws `not-found` where there is none. */
export function findPerson(store: Store, identifier: Identifier): Person {
  const customerId = findCustomerId(store, identifier);
  const { sqlite } = store;
  const customerIds = sqlite
    .prepare<[number], number>(
      `WITH RECURSIVE merged (id) AS (
         SELECT ? UNION SELECT c.id FROM customer c JOIN merged m ON c.merged_into = m.id)
       SELECT id FROM merged`,
    )
    .pluck()
    .all(customerId);
  const rows = sqlite
    .prepare<[number], Identifier & { readonly id: number }>(
      "SELECT id, type, value FROM identifier WHERE customer_id = ? ORDER BY id",
    )
    .all(customerId);
  return {
    customerIds,
    identifierIds: rows.map(({ id }) => id),
    identifiers: rows.map(({ type, value }) => ({ type, value })),
  };
}

/**
 * Every table with rows of persons, read from the schema, so that one that is added later is reached: by
 * columns that are named for a customer's or an identifier's number, or refer to one.
 */
export function personTables(sqlite: Sqlite): PersonTable[] {
  return tableNames(sqlite).flatMap((table) => {
    const columns = sqlite
      .prepare<[string], string>("SELECT name FROM pragma_table_info(?)")
      .pluck()
      .all(table);
    const references = sqlite
      .prepare<[string], { readonly target: string; readonly column: string }>(
        'SELECT "table" AS target, "from" AS "column" FROM pragma_foreign_key_list(?)',
      )
      .all(table);
    const columnsOf = (target: string): string[] => [
      ...new Set([
        ...(table === target ? ["id"] : []),
        ...columns.filter((column) => new RegExp(`(^|_)${target}_id$`).test(column)),
        ...references.filter((one) => one.target === target).map(({ column }) => column),
      ]),
    ];
    const found = {
      table,
      customerColumns: columnsOf("customer"),
      identifierColumns: columnsOf("identifier"),
    };
    return found.customerColumns.length + found.identifierColumns.length === 0 ? [] : [found];
  });
}

/** The store's tables. */
export function tableNames(sqlite: Sqlite): string[] {
  return sqlite
    .prepare<[], string>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .pluck()
    .all();
}

/** The condition that a row of a table is the person's, for the parameters of `personParameters`. */
export function personCondition({ customerColumns, identifierColumns }: PersonTable): string {
  return [
    ...customerColumns.map(
      (column) => `${quoted(column)} IN (SELECT value FROM json_each(@customers))`,
    ),
    ...identifierColumns.map(
      (column) => `${quoted(column)} IN (SELECT value FROM json_each(@identifiers))`,
    ),
  ].join(" OR ");
}

/** The values of a condition of `personCondition`. */
export function personParameters(person: Person): {
  readonly customers: string;
  readonly identifiers: string;
} {
  return {
    customers: JSON.stringify(person.customerIds),
    identifiers: JSON.stringify(person.identifierIds),
  };
}

/** What a line is called by, of all it says. */
export type LineNames = Pick<SeenLine, "userId" | "anonymousId" | "identifiers" | "isClaim">;

/**
 * Tells whether a line is the person's, by the rule by which lines get their customers: the strongest of
 * its identifiers that is somebody's. Holds also when the person's identifiers are gone already.
 */
export function ownership(store: Store, person: Person): (line: LineNames) => boolean {
  const rules = readIdentityRules(store);
  const identity = openIdentity(store.sqlite, rules);
  const isBlocked = blocker(rules);
  const own = new Set(person.identifiers.map(({ type, value }) => `${type}\n${value}`));
  const isOwn = ({ type, value }: Identifier): boolean => own.has(`${type}\n${value}`);
  return (line) => {
    const owner = identifiersOf(line as SeenLine, isBlocked).find(
      (name) => isOwn(name) || identity.find(name)?.status === "active",
    );
    return owner !== undefined && isOwn(owner);
  };
}
