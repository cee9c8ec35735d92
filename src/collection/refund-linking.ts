import { compareText } from "../base/index.ts";
import { EventName, REFUND_EVENTS } from "./event-names.ts";
import {
  groupBy,
  matchRefunds,
  type RefundableLine,
  type RefundRequest,
  type RefundRule,
} from "./refund-matching.ts";

/** A line of a customer, as far as refunds go. `person` is whom it names (personOf). */
export interface LinkableLine {
  readonly source: string;
  readonly messageId: string;
  readonly line: number;
  readonly event: string | null;
  readonly occurredAt: number;
  /** When the line itself became known, whoever it was of. */
  readonly lineKnownAt: number;
  readonly orderId: string | null;
  readonly productId: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly person: string | null;
  readonly isClaim: boolean;
}

/** Part of a refund, and the line it cancels; `of` is null where none was found. */
export interface LinkedPart<Line> {
  readonly refund: Line;
  /** The refund's own, or that of the line where it takes back a whole order. */
  readonly productId: string | null;
  /** Null where the refund says none, and no line was found. */
  readonly quantity: number | null;
  readonly of: Line | null;
}

/** What one source's refunds and lines of a person and a product come to, by the source, person and product. */
interface Group<Line> {
  readonly source: string;
  readonly productId: string | null;
  readonly lines: Map<string, Line>;
  readonly requests: RefundRequest[];
}

/** Amounts are the same up to half a cent. */
const AMOUNT_SLACK = 0.005;

/**
 * Links the refunds among the lines of one customer with what they cancel: at least a part for each, as
 * `createLinkedHistory` does for the whole history. A refund that names an order and no product takes back
 * what is left of all its lines, unless it names a lesser amount. Other lines are passed over. Sources
 * that `rules` does not name go by `latest-purchase`.
 *
 * Only what is among `lines` is seen: a refund that another customer sent, or that names nobody, links
 * in the history by its order alone, and not here.
 */
export function linkRefunds<Line extends LinkableLine>(
  lines: readonly Line[],
  rules: ReadonlyMap<string, RefundRule>,
): LinkedPart<Line>[] {
  const refunds = lines.filter(isRefund).sort(inOrder);
  if (refunds.length === 0) {
    return [];
  }
  const bought = lines.filter(isBought);
  const orders = groupBy(bought, ({ source, orderId }) => keyOf(source, orderId ?? ""));
  const groups = new Map<string, Group<Line>>();
  for (const [number, refund] of refunds.entries()) {
    for (const [key, group, request] of requestsOf(refund, number, orders)) {
      const known = groups.get(key) ?? group;
      groups.set(key, known);
      known.requests.push(request);
    }
  }
  for (const line of bought) {
    groups.get(groupKey(line))?.lines.set(keyOf(line.messageId, line.line), line);
  }
  const parts = refunds.map((): LinkedPart<Line>[] => []);
  for (const group of groups.values()) {
    addParts(parts, refunds, group, rules.get(group.source) ?? "latest-purchase");
  }
  return refunds.flatMap((refund, number) => {
    const { productId } = refund;
    const quantity = refund.quantity === null ? null : Math.abs(refund.quantity);
    const nothing = { refund, productId, quantity, of: null };
    return parts[number]?.length === 0 ? [nothing] : (parts[number] ?? []);
  });
}

type Request<Line> = readonly [key: string, group: Group<Line>, request: RefundRequest];

/** Of a refund of a product one; of a whole order one for each person and product of its lines. */
function requestsOf<Line extends LinkableLine>(
  refund: Line,
  number: number,
  orders: ReadonlyMap<string, readonly Line[]>,
): Request<Line>[] {
  if (refund.productId !== null) {
    const quantity = Math.abs(refund.quantity ?? 1);
    return refund.person === null || quantity <= 0
      ? []
      : [requestFor(refund, number, refund, { quantity, isWhole: false })];
  }
  const lines =
    refund.orderId === null ? [] : (orders.get(keyOf(refund.source, refund.orderId)) ?? []);
  const total = lines.reduce((sum, line) => sum + quantityOf(line) * (line.price ?? 0), 0);
  if (refund.price !== null && refund.price < total - AMOUNT_SLACK) {
    return [];
  }
  const own = lines.filter(
    ({ person }) => person !== null && (!refund.isClaim || person === refund.person),
  );
  const ofEach = new Map(own.map((line) => [groupKey(line), line]));
  return [...ofEach.values()].map((line) =>
    requestFor(refund, number, line, { quantity: 0, isWhole: true }),
  );
}

function requestFor<Line extends LinkableLine>(
  refund: Line,
  request: number,
  line: Line,
  what: Pick<RefundRequest, "quantity" | "isWhole">,
): Request<Line> {
  const { source, productId } = line;
  const { messageId, orderId, occurredAt, lineKnownAt: knownAt } = refund;
  const group = { source, productId, lines: new Map<string, Line>(), requests: [] };
  return [groupKey(line), group, { messageId, request, orderId, occurredAt, knownAt, ...what }];
}

function addParts<Line extends LinkableLine>(
  parts: readonly LinkedPart<Line>[][],
  refunds: readonly Line[],
  group: Group<Line>,
  rule: RefundRule,
): void {
  const lines = [...group.lines.values()].map(
    (line): RefundableLine => ({ ...keptOf(line), remaining: quantityOf(line) }),
  );
  for (const part of matchRefunds(lines, group.requests, rule)) {
    const refund = refunds[part.request];
    if (refund !== undefined) {
      parts[part.request]?.push({
        refund,
        productId: part.isWhole ? group.productId : refund.productId,
        quantity: part.quantity,
        of:
          part.of === null
            ? null
            : (group.lines.get(keyOf(part.of.messageId, part.of.line)) ?? null),
      });
    }
  }
}

function keptOf(line: LinkableLine): Omit<RefundableLine, "remaining"> {
  const { messageId, line: number, orderId, occurredAt, lineKnownAt: knownAt } = line;
  return { messageId, line: number, orderId, occurredAt, knownAt };
}

function isRefund({ event }: LinkableLine): boolean {
  return event !== null && REFUND_EVENTS.includes(event);
}

function isBought(line: LinkableLine): boolean {
  return line.event === EventName.orderCompleted && quantityOf(line) > 0;
}

function quantityOf({ quantity }: LinkableLine): number {
  return quantity ?? 1;
}

/** By source, message and line. */
function inOrder(a: LinkableLine, b: LinkableLine): number {
  return (
    compareText(a.source, b.source) || compareText(a.messageId, b.messageId) || a.line - b.line
  );
}

function groupKey({ source, person, productId }: LinkableLine): string {
  return keyOf(source, person ?? "", productId ?? "");
}

/** Stored text has no NUL. */
function keyOf(...parts: readonly (string | number)[]): string {
  return parts.join("\0");
}
