import type { Store } from "../base/index.ts";
import { type LinkedPart, linkRefunds, refundRules } from "../collection/index.ts";
import type { CustomerLine } from "../customers/index.ts";
import { ANY_PRODUCT, type Fact, type FactKind, KIND_OF_EVENT, SCALE } from "./fact.ts";
import { productGrouper, productRules } from "./product-group.ts";
import { calendarOf } from "./relation.ts";

/** Turns the lines of one customer into facts in order of time, as facts.ts does for the whole history. */
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
    if (parts.length === 0) {
      return own;
    }
    const refunds = parts.flatMap((part) => refundFact(part, groupOf));
    return [...own, ...refunds].sort((a, b) => a.at_ms - b.at_ms);
  };
}

/** Whether a line is goods bought or taken back. */
export function isGoods({ event }: Pick<CustomerLine, "event">): boolean {
  const kind = KIND_OF_EVENT.get(event ?? "");
  return kind === "order" || kind === "refund";
}

/** Whether a line takes goods back. */
export function isRefund({ event }: Pick<CustomerLine, "event">): boolean {
  return KIND_OF_EVENT.get(event ?? "") === "refund";
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
  const isOrder = kind === "order";
  const product = productOf(line, line.productId, isOrder, groupOf);
  if (isOrder && product === null) {
    return [];
  }
  return makeFact(line, kind, product, {
    quantity: isOrder ? scaled(line.quantity) : null,
    price: isOrder ? (line.price ?? 0) : kind === "browse" ? line.price : null,
    lineKey: isTakenBack ? keyOf(line) : null,
  });
}

function refundFact(
  { refund, productId, quantity, of }: LinkedPart<CustomerLine>,
  groupOf: GroupOf,
): Fact | [] {
  const product = productOf(refund, productId, true, groupOf);
  return product === null
    ? []
    : makeFact(refund, "refund", product, {
        quantity: scaled(quantity),
        price: null,
        lineKey: of === null ? null : keyOf(of),
      });
}

interface Goods {
  readonly quantity: number | null;
  readonly price: number | null;
  readonly lineKey: string | null;
}

function makeFact(
  line: CustomerLine,
  kind: FactKind,
  product: string | null,
  { quantity, price, lineKey }: Goods,
): Fact {
  const { day, hour, weekday } = calendarOf(line.occurredAt);
  return {
    kind,
    event: line.event ?? "",
    at_ms: line.occurredAt,
    known_at_ms: line.knownAt,
    product,
    category: line.category,
    channel: line.channel,
    campaign: line.campaign,
    device: line.device,
    quantity,
    price,
    line_key: lineKey,
    day,
    hour,
    weekday,
  };
}

function productOf(
  { source, category }: Pick<CustomerLine, "source" | "category">,
  productId: string | null,
  isOrder: boolean,
  groupOf: GroupOf,
): string | null {
  if (productId === null) {
    return isOrder ? ANY_PRODUCT : null;
  }
  return groupOf(source, productId, category);
}

function scaled(quantity: number | null): number {
  return Math.round((quantity ?? 1) * SCALE);
}

function keyOf({ source, messageId, line }: CustomerLine): string {
  return `${source}\u0000${messageId}\u0000${line}`;
}
