import type { Sqlite } from "../base/index.ts";

/** Which identifiers anything but a public key named. Call inside a transaction. */
export interface Trust {
  /** Marks an identifier; returns whether it was not marked before. */
  isNew(id: number): boolean;
  /** Adds the customers of identifiers, of whom other consents may count now. */
  addCustomers(ids: readonly number[], customers: Set<number>): void;
}

/** The marks of a store, through statements that are prepared once. */
export function openTrust(sqlite: Sqlite): Trust {
  const mark = sqlite.prepare(
    "UPDATE identifier SET is_trusted = 1 WHERE id = ? AND is_trusted = 0",
  );
  const customerOf = sqlite
    .prepare<[number], number | null>("SELECT customer_id FROM identifier WHERE id = ?")
    .pluck();
  return {
    isNew: (id) => mark.run(id).changes > 0,
    addCustomers: (ids, customers) => {
      for (const id of ids) {
        const customer = customerOf.get(id) ?? null;
        if (customer !== null) {
          customers.add(customer);
        }
      }
    },
  };
}
