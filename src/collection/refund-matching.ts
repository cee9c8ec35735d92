import { compareText } from "../base/index.ts";

/** A line that was bought, with what is left of it to refund. */
export interface RefundableLine {
  readonly messageId: string;
  readonly line: number;
  readonly orderId: string | null;
  readonly occurredAt: number;
  readonly knownAt: number;
  remaining: number;
}

/** Goods that came back, or a line that was cancelled. */
export interface RefundRequest {
  readonly messageId: string;
  /** Which request of the run it is; its parts say so, too. */
  readonly request: number;
  /** Takes back what is left of its own order, and nothing else, whatever `quantity` says. */
  readonly isWhole: boolean;
  readonly orderId: string | null;
  readonly occurredAt: number;
  readonly knownAt: number;
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

/** How refunds of a source find what they refund. */
export type RefundRule = "latest-purchase" | "same-order";

/** A request under way: what is left of it, and its parts so far. */
interface Open {
  readonly refund: RefundRequest;
  readonly parts: RefundPart[];
  left: number;
}

const NOTHING = 1e-9;

/**
 * Finds what the refunds of one customer and one product cancel, in the order in which lines and
 * refunds became known: a refund takes what it can of the lines known with it or before, and what it
 * still lacks of lines that become known later; what it took it keeps. So the outcome depends on the
 * events alone, not on the order of files, and what was known before an instant is matched as if
 * nothing had come later.
 *
 * Refunds known at the same instant are taken in order of time; each looks only at lines bought at or
 * before it, first in its own order, then the latest line that still holds all of it, then the latest
 * lines one after the other. What is left over is a part without a line (goods bought before the data
 * begin). `remaining` of the lines is used up.
 */
export function matchRefunds(
  lines: readonly RefundableLine[],
  refunds: readonly RefundRequest[],
  rule: RefundRule,
): RefundPart[] {
  const all = refunds.map(
    (refund): Open => ({
      refund,
      parts: [],
      left: refund.isWhole ? Number.POSITIVE_INFINITY : refund.quantity,
    }),
  );
  const linesAt = groupBy(lines, (line) => line.knownAt);
  const refundsAt = groupBy(all, ({ refund }) => refund.knownAt);
  const instants = [...new Set([...linesAt.keys(), ...refundsAt.keys()])].sort((a, b) => a - b);
  const known: RefundableLine[] = [];
  let waiting: Open[] = [];
  for (const instant of instants) {
    const newLines = linesAt.get(instant) ?? [];
    const newRefunds = new Set(refundsAt.get(instant));
    known.push(...newLines);
    waiting = [...waiting, ...newRefunds].sort(inTime);
    for (const open of waiting) {
      // One that waits has taken all it could of what was known before.
      take(open, newRefunds.has(open) ? known : newLines, rule);
    }
    waiting = waiting.filter((open) => open.left > NOTHING);
  }
  return all.sort(inTime).flatMap(partsOf);
}

function inTime({ refund: a }: Open, { refund: b }: Open): number {
  return (
    a.occurredAt - b.occurredAt || compareText(a.messageId, b.messageId) || a.request - b.request
  );
}

function take(open: Open, lines: readonly RefundableLine[], rule: RefundRule): void {
  const { refund } = open;
  const earlier = lines
    .filter((line) => line.occurredAt <= refund.occurredAt && line.remaining > NOTHING)
    .sort(latestFirst);
  const isOwn = ({ orderId }: RefundableLine): boolean =>
    refund.orderId !== null && orderId === refund.orderId;
  takeFrom(open, earlier.filter(isOwn));
  if (!refund.isWhole && rule === "latest-purchase" && open.left > NOTHING) {
    const others = earlier.filter((line) => !isOwn(line));
    const whole = others.find((line) => line.remaining >= open.left - NOTHING);
    takeFrom(open, whole === undefined ? others : [whole]);
  }
}

function takeFrom(open: Open, lines: readonly RefundableLine[]): void {
  for (const line of lines) {
    const quantity = Math.min(open.left, line.remaining);
    if (quantity > NOTHING) {
      line.remaining -= quantity;
      open.left -= quantity;
      open.parts.push(partOf(open.refund, open.parts.length, quantity, line));
    }
  }
}

function partsOf({ refund, parts, left }: Open): RefundPart[] {
  const isOver = !refund.isWhole && (left > NOTHING || parts.length === 0);
  return isOver ? [...parts, partOf(refund, parts.length, left, null)] : parts;
}

function partOf(
  { messageId, request, isWhole }: RefundRequest,
  line: number,
  quantity: number,
  of: RefundableLine | null,
): RefundPart {
  const cancelled = of === null ? null : { messageId: of.messageId, line: of.line };
  return { messageId, request, isWhole, line, quantity, of: cancelled };
}

function latestFirst(a: RefundableLine, b: RefundableLine): number {
  return b.occurredAt - a.occurredAt || compareText(b.messageId, a.messageId) || b.line - a.line;
}

/** Everything by its key, in the order in which it came. */
export function groupBy<T, Key>(all: readonly T[], key: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group === undefined) {
      groups.set(key(one), [one]);
    } else {
      group.push(one);
    }
  }
  return groups;
}
