import type { Note } from "./call-person.ts";
import type { EventType } from "./event.ts";
import { EventName } from "./event-names.ts";
import {
  type Fault,
  isObject,
  type JsonObject,
  readNumber,
  readText,
  storableText,
  valueAt,
} from "./read-value.ts";
import type { SegmentEvent } from "./segment-event.ts";
import type { PropertyName, SourceRules } from "./source-rules.ts";

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
  /** The product's, as the event says it. */
  readonly category: string | null;
  /** desktop, mobile or tablet. */
  readonly device: string | null;
}

interface Product {
  readonly id: string | null;
  readonly name: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly category: string | null;
}

interface Order {
  readonly orderId: string | null;
  readonly currency: string | null;
  /** What the event names outside a list of products. */
  readonly single: Product;
  readonly amount: number | null;
  readonly cost: number | null;
  readonly products: readonly Product[];
}

const NO_PRODUCT: Product = { id: null, name: null, quantity: null, price: null, category: null };
const NO_ORDER: Order = {
  orderId: null,
  currency: null,
  single: NO_PRODUCT,
  amount: null,
  cost: null,
  products: [],
};

const ORDER_EVENTS: ReadonlySet<string | null> = new Set<string>([
  EventName.orderCompleted,
  EventName.orderRefunded,
  EventName.orderCancelled,
]);
const NAMES: Readonly<Partial<Record<EventType, string>>> = {
  page: EventName.pageViewed,
  screen: EventName.screenViewed,
};

/**
 * The rows of an event: one per product of an order or a refund, else one. A cancelled order has one
 * row without a product, which takes back all of it. Or the property that can't be read. What is
 * hardly possible (a price below zero) is kept, and noted.
 */
export function eventLines(event: SegmentEvent, rules: SourceRules): readonly EventLine[] | Fault {
  const faults: Fault[] = [];
  const order = event.type === "track" ? readOrder(event, rules, faults) : NO_ORDER;
  const [fault] = faults;
  if (fault !== undefined) {
    return fault;
  }
  const isOrder = ORDER_EVENTS.has(event.name);
  const isNameless = event.userId === null && event.anonymousId === null;
  return productsOf(event.name, order).map((product, line) => {
    const isFirst = line === 0;
    const quantity = quantityOf(event.name, product, isOrder);
    noteImpossible(event.notes, quantity, product.price);
    return {
      messageId: event.messageId,
      line,
      type: event.type,
      event: NAMES[event.type] ?? event.name,
      occurredAt: event.occurredAt,
      knownAt: event.knownAt,
      userId: event.userId,
      anonymousId: event.anonymousId,
      orderId: order.orderId,
      productId: product.id,
      productName: product.name,
      quantity,
      price: product.price,
      currency: order.currency,
      properties: isFirst ? event.content : null,
      cost: isFirst ? order.cost : null,
      identifiers: isFirst || isNameless ? event.identifiers : null,
      traits: isFirst ? event.traits : null,
      consent: isFirst ? event.consent : null,
      channel: event.channel,
      campaign: event.campaign,
      isClaim: event.isClaim,
      category: product.category ?? order.single.category,
      device: event.device,
    };
  });
}

/** Where values are looked for: an object, what stands before its fields' names, and the list it is in. */
interface Place {
  readonly values: JsonObject;
  readonly prefix: string;
  readonly list: "" | "products[].";
}

/** The path that the source has for one of our names; a line's, or else that of the whole event. */
function aliasOf(place: Place, name: string, rules: SourceRules): readonly string[] | undefined {
  if (rules.properties.size === 0) {
    return undefined;
  }
  const path =
    rules.properties.get(`${place.list}${name}` as PropertyName) ??
    rules.properties.get(name as PropertyName);
  return path !== undefined && valueAt(place.values, path) !== undefined ? path : undefined;
}

/** A value, and the field it stands in: the source's own where something stands there, else ours. */
function find(place: Place, name: string, rules: SourceRules): readonly [unknown, string] {
  const path = aliasOf(place, name, rules);
  return path === undefined
    ? [place.values[name], place.prefix + name]
    : [valueAt(place.values, path), place.prefix + path.join(".")];
}

function text(
  place: Place,
  name: string,
  rules: SourceRules,
  faults: Fault[],
  lengthMax?: number,
): string | null {
  const [value, field] = find(place, name, rules);
  return readText(value, field, faults, lengthMax);
}

function number(place: Place, name: string, rules: SourceRules, faults: Fault[]): number | null {
  const [value, field] = find(place, name, rules);
  return readNumber(value, field, faults);
}

const CURRENCY_LENGTH_MAX = 16;

function readOrder(event: SegmentEvent, rules: SourceRules, faults: Fault[]): Order {
  const place: Place = { values: event.properties, prefix: "properties.", list: "" };
  const single = readProduct(place, rules, faults);
  const orderId = text(place, "order_id", rules, faults);
  const currency = text(place, "currency", rules, faults, CURRENCY_LENGTH_MAX);
  const total = number(place, "total", rules, faults);
  const revenue = number(place, "revenue", rules, faults);
  const value = number(place, "value", rules, faults);
  return {
    orderId,
    currency,
    single,
    amount: total ?? revenue ?? value,
    cost: readCost(event.properties, find(place, "cost", rules)[0], event.notes),
    products: readProducts(find(place, "products", rules), rules, faults),
  };
}

/** What an impression or click cost; where it can't be read it is left out, and noted. */
function readCost(properties: JsonObject, given: unknown, notes: Note[]): number | null {
  const faults: Fault[] = [];
  const cost = readNumber(given ?? properties["ad_cost"], "cost", faults);
  if (faults.length > 0) {
    notes.push(["impossible", "cost that is no number"]);
  }
  return cost;
}

function readProducts(
  [value, field]: readonly [unknown, string],
  rules: SourceRules,
  faults: Fault[],
): readonly Product[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    faults.push({ field, reason: "expected a list of products" });
    return [];
  }
  return value.map((item: unknown, index) => {
    if (!isObject(item)) {
      faults.push({ field: `${field}.${index}`, reason: "expected an object" });
      return NO_PRODUCT;
    }
    const place: Place = { values: item, prefix: `${field}.${index}.`, list: "products[]." };
    return readProduct(place, rules, faults);
  });
}

function readProduct(place: Place, rules: SourceRules, faults: Fault[]): Product {
  const productId = text(place, "product_id", rules, faults);
  const sku = text(place, "sku", rules, faults);
  return {
    id: productId ?? sku,
    name: text(place, "name", rules, faults),
    quantity: number(place, "quantity", rules, faults),
    price: number(place, "price", rules, faults),
    // Not worth refusing an event for.
    category: storableText(find(place, "category", rules)[0]) ?? null,
  };
}

function productsOf(name: string | null, order: Order): readonly Product[] {
  const single = order.single.id === null ? NO_PRODUCT : order.single;
  if (!ORDER_EVENTS.has(name)) {
    return [single];
  }
  if (name === EventName.orderCancelled && order.orderId !== null) {
    return [NO_PRODUCT];
  }
  const products = order.products.filter((product) => product.id !== null);
  if (products.length > 0) {
    return products;
  }
  if (single !== NO_PRODUCT) {
    return [single];
  }
  const quantity = name === EventName.orderCompleted ? 1 : null;
  return [{ ...NO_PRODUCT, quantity, price: order.amount }];
}

/** One unless it says so; of a refund, without the sign that some write. */
function quantityOf(name: string | null, product: Product, isOrder: boolean): number | null {
  if (!isOrder || product.id === null) {
    return product.quantity;
  }
  const quantity = product.quantity ?? 1;
  return name === EventName.orderCompleted ? quantity : Math.abs(quantity);
}

const PRICE_LIKELY_MAX = 1_000_000;

function noteImpossible(notes: Note[], quantity: number | null, price: number | null): void {
  if (quantity !== null && quantity <= 0) {
    notes.push(["impossible", quantity === 0 ? "quantity of 0" : "quantity below 0"]);
  }
  if (price !== null && (price < 0 || price > PRICE_LIKELY_MAX)) {
    notes.push(["impossible", price < 0 ? "price below 0" : `price above ${PRICE_LIKELY_MAX}`]);
  }
}
