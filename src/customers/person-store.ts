import type { Store } from "../base/index.ts";
import { type Person, personOf } from "./duplicates/person.ts";

/** A customer as it is compared with others: by its lowest identifier, with its latest traits. */
export interface PersonRecord {
  readonly identifierId: number;
  readonly customerId: number;
  readonly person: Person;
}

interface TraitRow {
  readonly customer_id: number;
  readonly identifier_id: number;
  readonly name: string;
  readonly value: string;
}

/** What an e-mail or telephone identifier says, where no trait does: older than any trait. */
const TRAITS = `
  SELECT customer_id, first_identifier AS identifier_id, name, value FROM (
    SELECT customer_id, min(id) OVER (PARTITION BY customer_id) AS first_identifier, id FROM identifier WHERE customer_id IS NOT NULL) AS known
  JOIN (SELECT identifier_id, name, value, occurred_at, known_at FROM trait
        UNION ALL SELECT id, type, json_quote(value), -1, linked_at FROM identifier WHERE type IN ('email', 'phone')) AS said
    ON said.identifier_id = known.id`;

const IN_ORDER = "ORDER BY customer_id, occurred_at, known_at, said.identifier_id";

/** Every customer that something is known about, in order of id. */
export function* personRecords(store: Store): Generator<PersonRecord> {
  const rows = store.sqlite.prepare<[], TraitRow>(`${TRAITS} ${IN_ORDER}`).iterate();
  let group: TraitRow[] = [];
  for (const row of rows) {
    if (group[0] !== undefined && group[0].customer_id !== row.customer_id) {
      yield recordOf(group);
      group = [];
    }
    group.push(row);
  }
  if (group.length > 0) {
    yield recordOf(group);
  }
}

/** The customer that an identifier belongs to now; undefined where it is gone or nothing is known. */
export function personOfIdentifier(store: Store, identifierId: number): PersonRecord | undefined {
  const rows = store.sqlite
    .prepare<[number], TraitRow>(
      `${TRAITS} WHERE customer_id = (SELECT customer_id FROM identifier WHERE id = ?) ${IN_ORDER}`,
    )
    .all(identifierId);
  return rows.length === 0 ? undefined : recordOf(rows);
}

/** The customer of an identifier; undefined where it is gone. */
export function customerOfIdentifier(store: Store, identifierId: number): number | undefined {
  return store.sqlite
    .prepare<[number], number>("SELECT customer_id FROM identifier WHERE id = ?")
    .pluck()
    .get(identifierId);
}

/** Of rows in order of time: the last word on each trait. */
function recordOf(rows: readonly TraitRow[]): PersonRecord {
  const traits = Object.fromEntries(
    rows.map(({ name, value }) => [name, JSON.parse(value) as unknown]),
  );
  return {
    identifierId: rows[0]?.identifier_id ?? 0,
    customerId: rows[0]?.customer_id ?? 0,
    person: personOf(traits),
  };
}
