/** The table of customers' features at several cutoffs: `customer_id`, `since_ms` (when first known), a column per feature and cutoff. */
export const SHARED = "shared_customer";

/** The column of a feature in that table at a cutoff, by its place among those of the table. */
export function sharedColumn(feature: string, index: number): string {
  return `${feature}_at_${index}`;
}
