import { expect } from "chai";
import { ServiceError } from "../../src/base/index.ts";
import {
  describeFeatures,
  describeName,
  describeViews,
  featureCatalogue,
  filterFeatures,
} from "../../src/features/index.ts";

describe("features/describe", () => {
  it("says of every feature how it is computed and who has it", () => {
    const all = describeFeatures();
    expect(all.map(({ name }) => name)).to.deep.equal(featureCatalogue().map(({ name }) => name));
    for (const feature of all) {
      expect(feature.aggregation, feature.name).to.match(/^[a-z].{8,}/);
      expect(feature.services, feature.name).to.not.deep.equal([]);
      expect(feature.view === null, feature.name).to.equal(feature.relation === null);
    }
  });

  it("tells grain, window, condition and inputs in words", () => {
    const words = (name: string): unknown => {
      const { aggregation, grain, window, inputs } = filterFeatures({}).find(
        (one) => one.name === name,
      ) ?? { aggregation: "", grain: "", window: null, inputs: [] };
      return [aggregation, grain, window, inputs];
    };
    expect(words("pair_cart_adds_7d")).to.deep.equal([
      "number of rows where event is Product Added in the last 7 days",
      "each row of browse",
      "7d",
      [],
    ]);
    expect(words("customer_repeat_share")).to.deep.equal([
      "share of rows with n is at least 2",
      "all rows of purchase of one customer that agree in product",
      null,
      [],
    ]);
    expect(words("customer_order_amount_mean")).to.deep.equal([
      "mean of amount",
      "all rows of purchase of one customer that agree in day and weekday",
      null,
      [],
    ]);
    expect(words("pair_overdue_ratio")).to.deep.equal([
      "computed from pair_recency_days, pair_gap_mean_days",
      null,
      null,
      ["pair_recency_days", "pair_gap_mean_days"],
    ]);
  });

  it("filters by entity, view and service, and finds features, views and services by name", () => {
    expect(filterFeatures({ view: "pair_purchases", service: "repurchase-week" }).length).to.equal(
      describeFeatures().filter(
        ({ view, services }) => view === "pair_purchases" && services.includes("repurchase_week"),
      ).length,
    );
    expect(describeName("pair_recency_days").kind).to.equal("feature");
    for (const { name, features } of describeViews()) {
      const isAlsoFeature = describeFeatures().some((one) => one.name === name);
      expect(describeName(name).kind).to.equal(isAlsoFeature ? "feature" : "view");
      expect(features).to.not.deep.equal([]);
    }
    expect(describeName("repurchase-week")).to.have.nested.include({ "service.version": 4 });
    expect(() => describeName("customer_recensy_days")).to.throw(
      ServiceError,
      /no feature, view or service "customer_recensy_days"; nearest: customer_recency_days/,
    );
    expect(() => describeName("cart_recency")).to.throw(/nearest: cart_add_recency_days/);
    expect(() => filterFeatures({ entity: "custmer" })).to.throw(/nearest: customer/);
    expect(() => filterFeatures({ service: "repurchase" })).to.throw(/nearest: repurchase_week/);
  });
});
