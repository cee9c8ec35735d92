import { z } from "zod";
import type { EventType } from "./event.ts";
import { EventName } from "./event-names.ts";
import { type JsonObject, type SegmentEvent, storableText } from "./segment-event.ts";

/** A row of the history before it is sealed, but for its source. */
export interface EventLine {
  readonly messageId: string;
  readonly line: number;
  readonly type: EventType;
  readonly event: string | null;
  readonly occurredAt: number;
  readonly knownAt: number;
  readonly userId: string | null;
  readonly anonymousId: string | null;
  readonly orderId: string | null;
  readonly productId: string | null;
  readonly productName: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly currency: string | null;
  /** On line 0 only, as are the next four. */
  readonly properties: string | null;
  readonly cost: number | null;
  readonly identifiers: string | null;
  readonly traits: string | null;
  readonly consent: string | null;
  readonly channel: string | null;
  readonly campaign: string | null;
  readonly isClaim: boolean;
}

/** A number, or decimal text of one, as some SDKs write prices. */
const amount = z
  .union([z.number(), z.string()], "expected a number")
  .nullish()
  .transform((value, check): number | null => {
    if (value === null || value === undefined || value === "") {
      return null;
    }
    const isDecimal = typeof value === "number" || /^\s*-?\d+(\.\d+)?\s*$/.test(value);
    if (!isDecimal || !Number.isFinite(Number(value))) {
      check.addIssue("expected a number");
      return z.NEVER;
    }
    return Number(value);
  });

const productFields = {
  product_id: storableText(),
  sku: storableText(),
  name: storableText(),
  quantity: amount,
  price: amount,
};

const propertiesSchema = z.object({
  ...productFields,
  order_id: storableText(),
  currency: storableText(16),
  total: amount,
  revenue: amount,
  value: amount,
  products: z.array(z.object(productFields), "expected a list of products").nullish(),
});

type Properties = z.output<typeof propertiesSchema>;
type Product = Pick<Properties, keyof typeof productFields>;

const NO_PRODUCT: Product = {
  product_id: null,
  sku: null,
  name: null,
  quantity: null,
  price: null,
};
const ORDER_EVENTS: readonly (string | null)[] = [
  EventName.orderCompleted,
  EventName.orderRefunded,
  EventName.orderCancelled,
];
const NAMES: Readonly<Partial<Record<EventType, string>>> = {
  page: EventName.pageViewed,
  screen: EventName.screenViewed,
};

/**
 * The rows of an event: one per product of an order or a refund, else one. A cancelled order has one
 * row without a product, which takes back all of it. Or the property that can't be read.
 */
export function eventLines(
  event: SegmentEvent,
): readonly EventLine[] | { readonly field: string; readonly reason: string } {
  const parsed = propertiesSchema.safeParse(event.type === "track" ? event.properties : {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = ["properties", ...(issue?.path ?? [])].join(".");
    return { field, reason: issue?.message ?? "invalid" };
  }
  const properties = parsed.data;
  const isOrder = ORDER_EVENTS.includes(event.name);
  return productsOf(event.name, properties).map((product, line) => ({
    messageId: event.messageId,
    line,
    type: event.type,
    event: NAMES[event.type] ?? event.name,
    occurredAt: event.occurredAt,
    knownAt: event.knownAt,
    userId: event.userId,
    anonymousId: event.anonymousId,
    orderId: properties.order_id,
    productId: idOf(product),
    productName: product.name,
    quantity: quantityOf(event.name, product, isOrder),
    price: product.price,
    currency: properties.currency,
    properties: line === 0 ? JSON.stringify(event.content satisfies JsonObject) : null,
    cost: null,
    identifiers: null,
    traits: null,
    consent: null,
    channel: null,
    campaign: null,
    isClaim: false,
  }));
}

function productsOf(name: string | null, properties: Properties): readonly Product[] {
  const single = idOf(properties) === null ? NO_PRODUCT : properties;
  if (!ORDER_EVENTS.includes(name)) {
    return [single];
  }
  if (name === EventName.orderCancelled && properties.order_id !== null) {
    return [NO_PRODUCT];
  }
  const products = (properties.products ?? []).filter((product) => idOf(product) !== null);
  if (products.length > 0) {
    return products;
  }
  const isWhole = single === NO_PRODUCT && name === EventName.orderCompleted;
  const price = properties.total ?? properties.revenue ?? properties.value;
  return [isWhole ? { ...NO_PRODUCT, quantity: 1, price } : single];
}

function idOf(product: Product): string | null {
  return product.product_id ?? product.sku;
}

/** One unless it says so; of a refund, without the sign that some write. */
function quantityOf(name: string | null, product: Product, isOrder: boolean): number | null {
  if (!isOrder || idOf(product) === null) {
    return product.quantity;
  }
  const quantity = product.quantity ?? 1;
  return name === EventName.orderCompleted ? quantity : Math.abs(quantity);
}
