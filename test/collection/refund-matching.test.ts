import { expect } from "chai";
import fc from "fast-check";
import {
  matchRefunds,
  type RefundableLine,
  type RefundRequest,
} from "../../src/collection/index.ts";

const line = (
  messageId: string,
  occurredAt: number,
  remaining: number,
  orderId: string | null = null,
): RefundableLine => ({
  messageId,
  line: 0,
  orderId,
  occurredAt,
  knownAt: occurredAt,
  remaining,
});
const refund = (
  messageId: string,
  occurredAt: number,
  quantity: number,
  orderId: string | null = null,
): RefundRequest => ({
  messageId,
  request: 0,
  isWhole: false,
  orderId,
  occurredAt,
  knownAt: occurredAt,
  quantity,
});
const taken = (parts: ReturnType<typeof matchRefunds>): unknown[] =>
  parts.map((part) => [part.messageId, part.line, part.quantity, part.of?.messageId ?? null]);

describe("collection/refund-matching", () => {
  it("cancels the latest earlier purchase that holds all of it", () => {
    const lines = [line("a", 1, 5), line("b", 2, 5), line("c", 3, 2), line("late", 9, 5)];
    expect(taken(matchRefunds(lines, [refund("r", 5, 4)], "latest-purchase"))).to.deep.equal([
      ["r", 0, 4, "b"],
    ]);
  });

  it("spreads over the latest purchases where none holds all, and keeps what is left over", () => {
    const lines = [line("a", 1, 2), line("b", 2, 3)];
    expect(taken(matchRefunds(lines, [refund("r", 5, 7)], "latest-purchase"))).to.deep.equal([
      ["r", 0, 3, "b"],
      ["r", 1, 2, "a"],
      ["r", 2, 2, null],
    ]);
  });

  it("does not refund the same goods twice", () => {
    const parts = matchRefunds(
      [line("a", 1, 5)],
      [refund("r1", 2, 5), refund("r2", 3, 5)],
      "latest-purchase",
    );
    expect(taken(parts)).to.deep.equal([
      ["r1", 0, 5, "a"],
      ["r2", 0, 5, null],
    ]);
  });

  it("prefers its own order, and by the same-order rule looks nowhere else", () => {
    const lines = (): RefundableLine[] => [line("a", 1, 5, "o1"), line("b", 2, 5, "o2")];
    expect(
      taken(matchRefunds(lines(), [refund("r", 3, 2, "o1")], "latest-purchase")),
    ).to.deep.equal([["r", 0, 2, "a"]]);
    expect(taken(matchRefunds(lines(), [refund("r", 3, 2, "o9")], "same-order"))).to.deep.equal([
      ["r", 0, 2, null],
    ]);
  });

  it("neither makes nor loses quantity, whatever comes", () => {
    const lines = fc.array(
      fc.record({ at: fc.integer({ min: 0, max: 50 }), quantity: fc.integer({ min: 1, max: 20 }) }),
    );
    fc.assert(
      fc.property(lines, lines, (bought, returned) => {
        const stock = bought.map(({ at, quantity }, index) => line(`b${index}`, at, quantity));
        const requests = returned.map(({ at, quantity }, index) =>
          refund(`r${index}`, at, quantity),
        );
        const parts = matchRefunds(stock, requests, "latest-purchase");
        for (const request of requests) {
          const own = parts.filter((part) => part.messageId === request.messageId);
          expect(own.reduce((sum, part) => sum + part.quantity, 0)).to.be.closeTo(
            request.quantity,
            1e-9,
          );
          expect(own.map((part) => part.line)).to.deep.equal(own.map((_, index) => index));
        }
        bought.forEach(({ at, quantity }, index) => {
          const cancelled = parts.filter((part) => part.of?.messageId === `b${index}`);
          expect(cancelled.reduce((sum, part) => sum + part.quantity, 0)).to.be.at.most(
            quantity + 1e-9,
          );
          for (const part of cancelled) {
            expect(
              requests.find((request) => request.messageId === part.messageId)?.occurredAt,
            ).to.be.at.least(at);
          }
        });
      }),
    );
  });
});
