import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS, fixedClock, type Store, seededRandom, toIso } from "../../src/base/index.ts";
import {
  type ImportReport,
  importFile,
  type Mapping,
  parseMapping,
} from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";

/** A line of the test shop's event file; instants are ISO 8601 with a zone. */
export interface ShopLine {
  readonly user?: string;
  readonly visitor?: string;
  readonly event?: string;
  readonly order?: string;
  readonly product?: string;
  readonly quantity?: number;
  readonly price?: number;
  readonly at: string;
  readonly known?: string;
}

export const shopClock = fixedClock("2024-07-01T00:00:00Z");

/** Columns user, visitor, event, order, product, quantity, price, at, known. */
export function shopMapping(changes: Record<string, unknown> = {}): Mapping {
  return parseMapping(shopMappingText(changes));
}

/** The same, as it stands in a file of JSON. */
export function shopMappingText(changes: Record<string, unknown> = {}): object {
  return {
    source: "shop",
    event: {
      column: "event",
      names: { order: "Order Completed", refund: "Order Refunded", view: "Product Viewed" },
    },
    knownAt: { column: "known" },
    fields: {
      occurredAt: { column: "at" },
      userId: "user",
      anonymousId: "visitor",
      orderId: "order",
      productId: "product",
      quantity: "quantity",
      price: "price",
    },
    ...changes,
  };
}

/** Imports lines as a CSV file and resolves their customers. */
export async function importLines(
  store: Store,
  folder: string,
  lines: readonly ShopLine[],
  mapping: Mapping = shopMapping(),
  name = "events.csv",
): Promise<ImportReport> {
  const file = writeLines(join(folder, name), lines);
  const report = await importFile(store, shopClock, { file, mapping });
  await resolveCustomers(store, shopClock);
  return report;
}

/** Writes lines as a CSV file, whose name is returned. */
export function writeLines(file: string, lines: readonly ShopLine[]): string {
  const rows = lines.map((line) =>
    [
      line.user,
      line.visitor,
      line.event ?? "order",
      line.order,
      line.product ?? "A",
      line.quantity ?? 1,
      line.price ?? 10,
      line.at,
      line.known ?? line.at,
    ]
      .map((value) => (value === undefined ? "" : String(value)))
      .join(","),
  );
  writeFileSync(
    file,
    ["user,visitor,event,order,product,quantity,price,at,known", ...rows, ""].join("\n"),
  );
  return file;
}

/** A shop whose customers buy a few products in rhythms of their own, over `days` days from 2023-01-01. */
export function rhythmicOrders(customers: number, days: number, seed = 1): ShopLine[] {
  const random = seededRandom(seed);
  const start = Date.UTC(2023, 0, 1, 9);
  const lines: ShopLine[] = [];
  for (let customer = 0; customer < customers; customer++) {
    for (let habit = 0; habit < 3; habit++) {
      const product = `P${random.below(12)}`;
      const gap = 10 + random.below(50);
      for (
        let day = random.below(gap);
        day < days;
        day += Math.max(1, Math.round(gap * (0.8 + 0.4 * random.next())))
      ) {
        lines.push({
          user: `u${customer}`,
          product,
          order: `o${customer}-${day}`,
          at: toIso(start + day * DAY_MS),
        });
      }
    }
  }
  return lines;
}
