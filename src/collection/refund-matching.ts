/** A line that was bought, with what is left of it to refund. */
export interface RefundableLine {
  readonly messageId: string;
  readonly line: number;
  readonly orderId: string | null;
  readonly occurredAt: number;
  remaining: number;
}

/** Goods that came back, or a line that was cancelled. */
export interface RefundRequest {
  readonly messageId: string;
  /** Which request of the run it is; its parts say so, too. */
  readonly request: number;
  /** Takes back what is left of its own order, and nothing else. */
  readonly isWhole: boolean;
  readonly orderId: string | null;
  readonly occurredAt: number;
  readonly quantity: number;
}

/** Part of a refund, and the line it cancels; `of` is null where nothing left to refund was found. */
export interface RefundPart {
  readonly messageId: string;
  readonly request: number;
  readonly isWhole: boolean;
  readonly line: number;
  readonly quantity: number;
  readonly of: { readonly messageId: string; readonly line: number } | null;
}

const NOTHING = 1e-9;

/**
 * Finds what the refunds of one customer and one product cancel. Refunds are taken in order of time;
 * each looks only at lines bought at or before it, first in its own order, then the latest line that
 * still holds all of it, then the latest lines one after the other. What is left over is kept as a
 * part without a line (goods bought before the data begin). `remaining` of the lines is used up.
 */
export function matchRefunds(
  lines: readonly RefundableLine[],
  refunds: readonly RefundRequest[],
  rule: "latest-purchase" | "same-order",
): RefundPart[] {
  const latestFirst = [...lines].sort((a, b) => b.occurredAt - a.occurredAt || compare(b, a));
  const inTime = [...refunds].sort(
    (a, b) =>
      a.occurredAt - b.occurredAt ||
      a.messageId.localeCompare(b.messageId) ||
      a.request - b.request,
  );
  return inTime.flatMap((refund) => {
    const earlier = latestFirst.filter((line) => line.occurredAt <= refund.occurredAt);
    const sameOrder = earlier.filter(
      (line) => refund.orderId !== null && line.orderId === refund.orderId,
    );
    const others = earlier.filter((line) => !sameOrder.includes(line));
    const whole = others.find((line) => line.remaining >= refund.quantity - NOTHING);
    const anywhere = whole === undefined ? others : [whole];
    const isOwnOnly = refund.isWhole || rule === "same-order";
    return take(refund, isOwnOnly ? sameOrder : [...sameOrder, ...anywhere]);
  });
}

function take(refund: RefundRequest, candidates: readonly RefundableLine[]): RefundPart[] {
  const { messageId, request, isWhole } = refund;
  const parts: RefundPart[] = [];
  let left = refund.quantity;
  for (const line of candidates) {
    const quantity = Math.min(left, line.remaining);
    if (quantity > NOTHING) {
      line.remaining -= quantity;
      left -= quantity;
      const of = { messageId: line.messageId, line: line.line };
      parts.push({ messageId, request, isWhole, line: parts.length, quantity, of });
    }
  }
  if (!isWhole && (left > NOTHING || parts.length === 0)) {
    parts.push({ messageId, request, isWhole, line: parts.length, quantity: left, of: null });
  }
  return parts;
}

function compare(a: RefundableLine, b: RefundableLine): number {
  return a.messageId.localeCompare(b.messageId) || a.line - b.line;
}
