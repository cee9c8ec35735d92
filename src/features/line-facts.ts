import type { Store } from "../base/index.ts";
import { EventName, type LinkedPart, linkRefunds, refundRules } from "../collection/index.ts";
import type { CustomerLine } from "../customers/index.ts";
import { ANY_PRODUCT, type Fact, type FactKind, KIND_OF_EVENT, SCALE } from "./fact.ts";
import { productGrouper, productRules } from "./product-group.ts";

/** Turns the lines of one customer into facts, as facts.ts does for the whole history. */
export type FactReader = (lines: readonly CustomerLine[]) => Fact[];

/** A reader under the mappings of now. */
export function createFactReader(store: Store): FactReader {
  const groupOf = productGrouper(productRules(store));
  const rules = refundRules(store);
  return (lines) => {
    const parts = linkRefunds(lines, rules);
    const taken = new Set(parts.flatMap(({ of }) => (of === null ? [] : [of])));
    const own = lines.flatMap((line) => {
      const kind = KIND_OF_EVENT.get(line.event ?? "");
      return kind === undefined || kind === "refund" || !isBought(kind, line)
        ? []
        : factOf(line, kind, taken.has(line), groupOf);
    });
    return [...own, ...parts.flatMap((part) => refundFact(part, groupOf))];
  };
}

type GroupOf = ReturnType<typeof productGrouper>;

function isBought(kind: FactKind, { quantity, price }: CustomerLine): boolean {
  return kind !== "order" || ((quantity === null || quantity > 0) && (price === null || price > 0));
}

function factOf(
  line: CustomerLine,
  kind: FactKind,
  isTakenBack: boolean,
  groupOf: GroupOf,
): Fact | [] {
  const isOrder = line.event === EventName.orderCompleted;
  const product = productOf(line.source, line.productId, isOrder, groupOf);
  if (isOrder && product === null) {
    return [];
  }
  return {
    ...commonOf(line, kind),
    product,
    quantity: isOrder ? scaled(line.quantity) : null,
    price: isOrder ? (line.price ?? 0) : null,
    lineKey: isTakenBack ? keyOf(line) : null,
  };
}

function refundFact(
  { refund, productId, quantity, of }: LinkedPart<CustomerLine>,
  groupOf: GroupOf,
): Fact | [] {
  const product = productOf(refund.source, productId, true, groupOf);
  return product === null
    ? []
    : {
        ...commonOf(refund, "refund"),
        product,
        quantity: scaled(quantity),
        price: null,
        lineKey: of === null ? null : keyOf(of),
      };
}

function commonOf(
  line: CustomerLine,
  kind: FactKind,
): Omit<Fact, "product" | "quantity" | "price" | "lineKey"> {
  const { occurredAt, knownAt, category, channel, campaign, device } = line;
  return {
    kind,
    event: line.event ?? "",
    occurredAt,
    knownAt,
    category,
    channel,
    campaign,
    device,
  };
}

function productOf(
  source: string,
  productId: string | null,
  isOrder: boolean,
  groupOf: GroupOf,
): string | null {
  if (productId === null) {
    return isOrder ? ANY_PRODUCT : null;
  }
  return groupOf(source, productId);
}

function scaled(quantity: number | null): number {
  return Math.round((quantity ?? 1) * SCALE);
}

function keyOf({ source, messageId, line }: CustomerLine): string {
  return `${source}\u0000${messageId}\u0000${line}`;
}
