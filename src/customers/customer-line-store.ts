import type { Store } from "../base/index.ts";
import { IS_ORDER_LINE } from "./kept-lines.ts";

/** A line of a customer, whichever of its identifiers it named. Instants in epoch milliseconds. */
export interface CustomerLine {
  readonly occurredAt: number;
  /** When both the line and that it is this customer's were known. */
  readonly knownAt: number;
  readonly source: string;
  readonly messageId: string;
  readonly line: number;
  readonly type: string;
  readonly event: string | null;
  readonly orderId: string | null;
  readonly productId: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly channel: string | null;
  readonly campaign: string | null;
  readonly category: string | null;
  readonly device: string | null;
  /** Whom the line names; refunds match lines of the same (personOf). */
  readonly person: string | null;
  readonly isClaim: boolean;
}

type Row = [
  occurredAt: number,
  knownAt: number,
  source: string,
  messageId: string,
  line: number,
  type: string,
  event: string | null,
  orderId: string | null,
  productId: string | null,
  quantity: number | null,
  price: number | null,
  channel: string | null,
  campaign: string | null,
  category: string | null,
  device: string | null,
  person: string | null,
  isClaim: number,
];

const COLUMNS = `r.occurred_at, max(r.known_at, i.linked_at), r.source, r.message_id, r.line, r.type, r.event, r.order_id,
    r.product_id, r.quantity, r.price, r.channel, r.campaign, r.category, r.device, r.person, r.is_claim`;
const IS_OWN = "r.identifier_id = i.id WHERE i.customer_id = @customerId";

/**
 * Reads what is at hand of a customer's lines, through a statement that is prepared once: all of orders and
 * refunds, and of the others those that happened at `since` or later (epoch ms), at most as far back as they
 * are kept (docs/customers.md). In the order of time, source, message and line.
 */
export function openCustomerLines(
  store: Store,
): (customerId: number, since: number) => CustomerLine[] {
  const read = store.sqlite
    .prepare<[{ readonly customerId: number; readonly since: number }], Row>(
      `SELECT ${COLUMNS} FROM identifier i JOIN recent_event r ON ${IS_OWN} AND r.occurred_at >= @since
       UNION ALL
       SELECT ${COLUMNS} FROM identifier i JOIN recent_event r INDEXED BY recent_event_order ON ${IS_OWN} AND r.occurred_at < @since
         AND ${IS_ORDER_LINE}
       ORDER BY 1, 3, 4, 5`,
    )
    .raw();
  return (customerId, since) => read.all({ customerId, since }).map(lineOf);
}

function lineOf(row: Row): CustomerLine {
  return {
    occurredAt: row[0],
    knownAt: row[1],
    source: row[2],
    messageId: row[3],
    line: row[4],
    type: row[5],
    event: row[6],
    orderId: row[7],
    productId: row[8],
    quantity: row[9],
    price: row[10],
    channel: row[11],
    campaign: row[12],
    category: row[13],
    device: row[14],
    person: row[15],
    isClaim: row[16] === 1,
  };
}
