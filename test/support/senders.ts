import { expect } from "chai";
import { openStore, type Store, systemClock } from "../../src/base/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { linesByMessage, orderCall } from "./live.ts";

const BATCH = 10;
const CUSTOMERS = 50;
const ANSWER_MS = 20_000;

/** A sender that remembers what was acknowledged. */
export interface Sender {
  /** Every message id that an answer with 200 called accepted or duplicate. */
  readonly acknowledged: Set<string>;
  /** How often each status was answered; 0 where there was no answer. */
  readonly statuses: Map<number, number>;
  /** Sends the next batch, the first half of which repeats the one before, and returns the status. */
  send(url: string): Promise<number>;
  /** Sends batches until the work is over. */
  during<T>(url: string, work: () => Promise<T>, pauseMs?: number): Promise<T>;
}

interface Results {
  readonly results: readonly { readonly messageId: string | null; readonly status: string }[];
}

/** A sender of orders of two products each, a message each, by fifty customers. */
export function createSender(
  key: string,
  prefix: string,
  changes: (index: number) => object = () => ({}),
): Sender {
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  const acknowledged = new Set<string>();
  const statuses = new Map<number, number>();
  let batch = 0;
  const send: Sender["send"] = async (url) => {
    const first = (batch++ * BATCH) / 2;
    const calls = Array.from({ length: BATCH }, (_, offset) => {
      const index = first + offset;
      const userId = `user-${index % CUSTOMERS}`;
      return orderCall(`${prefix}-${index}`, { userId, ...changes(index) });
    });
    let status = 0;
    try {
      const answer = await fetch(`${url}/v1/batch`, {
        method: "POST",
        headers: { authorization },
        body: JSON.stringify({ batch: calls }),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const text = await answer.text();
      status = answer.status;
      for (const one of status === 200 ? (JSON.parse(text) as Results).results : []) {
        expect(one.status, text).to.be.oneOf(["accepted", "duplicate"]);
        acknowledged.add(one.messageId ?? "");
      }
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AssertionError") {
        throw error;
      }
    }
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    return status;
  };
  return {
    acknowledged,
    statuses,
    send,
    during: async (url, work, pauseMs = 20) => {
      const state = { isOver: false };
      const sending = (async (): Promise<void> => {
        while (!state.isOver) {
          await send(url);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      })();
      try {
        return await work();
      } finally {
        state.isOver = true;
        await sending;
      }
    },
  };
}

/**
 * Checks that every acknowledged message is in the history or the inbox, that every message is there
 * once, with its two lines, and that profiles have as many orders as there are messages.
 */
export async function expectAllOnce(
  folder: string,
  acknowledged: Iterable<string>,
): Promise<Map<string, number>> {
  const store = await openStore(folder);
  try {
    const counts = await expectLines(store, acknowledged);
    await resolveCustomers(store, systemClock);
    const orders = store.sqlite
      .prepare<[], { n: number; distinct_orders: number; lines: number | null }>(
        "SELECT count(*) AS n, count(DISTINCT order_id) AS distinct_orders, sum(line_count) AS lines FROM order_summary",
      )
      .get();
    const messages = counts.size;
    expect(orders?.n, "orders of profiles").to.equal(messages);
    expect(orders?.distinct_orders, "orders of profiles").to.equal(messages);
    expect(orders?.lines ?? 0, "order lines of profiles").to.equal(2 * messages);
    return counts;
  } finally {
    store.close();
  }
}

/** Checks that no acknowledged message is missing and that none is doubled, sealed or not. */
export async function expectLines(
  store: Store,
  acknowledged: Iterable<string>,
): Promise<Map<string, number>> {
  const counts = await linesByMessage(store);
  const lost = [...acknowledged].filter((id) => counts.get(id) === undefined);
  expect(lost, "acknowledged and lost").to.deep.equal([]);
  const wrong = [...counts].filter(([, lines]) => lines !== 2);
  expect(wrong, "not there once").to.deep.equal([]);
  return counts;
}
