import { expect } from "chai";
import { findService } from "../../src/features/index.ts";
import { pairDerived } from "../../src/features/views/pair.ts";

type Values = Readonly<Record<string, number | null>>;

function valueOf(name: string, values: Values): number | null {
  const found = pairDerived.find((feature) => feature.name === name);
  expect(found, name).to.not.equal(undefined);
  return found?.expression.evaluate(values, 0) ?? null;
}

describe("a pair's supply", () => {
  const bought = {
    pair_tenure_days: 70,
    pair_recency_days: 10,
    pair_quantity: 9,
    pair_quantity_last: 3,
  };

  it("lasts as long as the last quantity would at the pace of the earlier ones", () => {
    // 6 pieces in 60 days: the last 3 should last 30 days, 10 of which are over.
    expect(valueOf("pair_supply_overdue_ratio", bought)).to.be.closeTo(1 / 3, 1e-12);
  });

  it("is over later where more was bought last", () => {
    const more = { ...bought, pair_quantity: 18, pair_quantity_last: 12 };
    expect(valueOf("pair_supply_overdue_ratio", more)).to.be.closeTo(1 / 12, 1e-12);
  });

  it("is unknown of a product bought once, and lasts a day at least", () => {
    const once = { ...bought, pair_tenure_days: 10, pair_quantity: 3 };
    expect(valueOf("pair_supply_overdue_ratio", once)).to.equal(null);
    const heap = { ...bought, pair_quantity: 6003 };
    expect(valueOf("pair_supply_overdue_ratio", heap)).to.equal(10);
  });
});

describe("a pair's change of price", () => {
  it("is today's price of all over what the customer paid last", () => {
    const paid = { product_price_mean_28d: 3, pair_amount_last: 10, pair_quantity_last: 4 };
    expect(valueOf("pair_price_change_ratio", paid)).to.be.closeTo(1.2, 1e-12);
  });

  it("is unknown where it was a gift, or nobody bought lately", () => {
    const gift = { product_price_mean_28d: 3, pair_amount_last: 0, pair_quantity_last: 4 };
    expect(valueOf("pair_price_change_ratio", gift)).to.equal(null);
    const quiet = { product_price_mean_28d: null, pair_amount_last: 10, pair_quantity_last: 4 };
    expect(valueOf("pair_price_change_ratio", quiet)).to.equal(null);
  });

  it("is read by the model of the repurchase week", () => {
    expect(findService("repurchase_week").features).to.include.members([
      "pair_price_change_ratio",
      "pair_supply_overdue_ratio",
    ]);
  });
});
