import { expect } from "chai";
import { fixedClock, type Store } from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  openSenders,
  parseSourceRules,
  setSourceRules,
} from "../../src/collection/index.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2011-12-10T06:00:00Z");

interface Row {
  readonly event: string | null;
  readonly order_id: string | null;
  readonly product_id: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly properties: string | null;
  readonly channel: string | null;
  readonly campaign: string | null;
  readonly cost: number | null;
  readonly identifiers: string | null;
  readonly traits: string | null;
  readonly consent: string | null;
  readonly is_claim: number;
}

const rowsOf = (store: Store): Row[] =>
  store.sqlite.prepare<[], Row>("SELECT * FROM inbox ORDER BY sequence").all();

const noted = (store: Store, kind: string): Record<string, number> =>
  Object.fromEntries(
    store.sqlite
      .prepare<[string], [string, number]>(
        "SELECT name, sum(count) FROM message_count WHERE kind = ? GROUP BY name ORDER BY name",
      )
      .raw()
      .all(kind),
  );

/** What calls become under rules: every call has to be accepted. */
async function rowsUnder(
  rules: object,
  calls: readonly object[],
  check: (rows: readonly Row[], store: Store) => void,
): Promise<void> {
  await withStore(async (store) => {
    setSourceRules(store, clock, "shop", parseSourceRules(rules));
    const { key } = createWriteKey(store, clock, "shop");
    const sender = openSenders(store).find(key) ?? expect.fail("no sender");
    const results = await createCollector(store, clock).collect({
      source: "shop",
      rules: sender.rules,
      calls: calls.map((call) => ({
        type: "track",
        event: "Cart Viewed",
        anonymousId: "v",
        ...call,
      })),
    });
    expect(results.map(({ status }) => status)).to.deep.equal(calls.map(() => "accepted"));
    check(rowsOf(store), store);
  });
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

describe("live calls in the history's columns", () => {
  it("name everything that identifies a person, the strongest first, and drop what can't be read", async () => {
    const externalIds = [
      { id: "C-7", type: "crm_id", collection: "users", encoding: "none" },
      { id: "9f86d0", type: "email", collection: "users", encoding: "sha256" },
      { id: "acme", type: "company", collection: "accounts", encoding: "none" },
      { id: "G1", type: "ga.client-id" },
      "junk",
    ];
    const calls = [
      {
        type: "identify",
        traits: { email: " Jan@Example.COM ", phone: "06 12345678", card: 77 },
        context: { externalIds, traits: { email: "j2@example.com" } },
      },
      { properties: { email: "no address", phone: ["+31 6 1234 5678", {}] } },
      { type: "alias", userId: "u", previousId: "old" },
      { type: "alias", userId: "u", previousId: "v" },
      { type: "group", groupId: "g", traits: { email: "office@example.com", card: 1 } },
      {},
    ];
    await rowsUnder(
      { identifiers: { loyalty_id: "traits.card" }, region: "NL" },
      calls,
      (rows, store) => {
        expect(rows.map(({ identifiers }) => parsed(identifiers))).to.deep.equal([
          [
            ["loyalty_id", "77"],
            ["crm_id", "C-7"],
            ["ga_client_id", "G1"],
            ["email", "j2@example.com"],
            ["email", "jan@example.com"],
            ["phone", "+31612345678"],
          ],
          [["phone", "+31612345678"]],
          [["anonymous_id", "old"]],
          null,
          null,
          null,
        ]);
        expect(noted(store, "identifier_dropped")).to.deep.equal({ email: 1, phone: 1 });
        expect(noted(store, "missing_identifier")).to.deep.equal({ "anonymous_id alone": 2 });
      },
    );
  });

  it("keep a person's traits once, and a group's with the group", async () => {
    const calls = [
      {
        type: "identify",
        traits: { city: "Utrecht" },
        context: { ip: "::1", traits: { city: "Delft", age: 40 } },
      },
      { type: "group", groupId: "g", traits: { seats: 3 } },
      {
        context: { traits: { plan: "a\0\ud800" } },
        properties: { note: "x\0", path: "c:\\u0000" },
      },
    ];
    await rowsUnder({}, calls, (rows) => {
      expect(rows.map(({ traits }) => parsed(traits))).to.deep.equal([
        { city: "Utrecht", age: 40 },
        null,
        { plan: "a\ufffd\ufffd" },
      ]);
      expect(rows.map(({ properties }) => parsed(properties))).to.deep.equal([
        { context: { ip: "::1" } },
        { traits: { seats: 3 }, groupId: "g" },
        { properties: { note: "x\ufffd", path: "c:\\u0000" } },
      ]);
    });
  });

  it("state consent by purpose; one no decides, what has no meaning states nothing", async () => {
    const given = (
      categoryPreferences: object,
      more: object = {},
      context: object = {},
    ): object => ({
      event: "Segment Consent Preference Updated",
      context: { consent: { categoryPreferences, ...more }, ...context },
    });
    const calls = [
      given({ Advertising: true, C0002: false, ad_user_data: "granted" }, { jurisdiction: "EU" }),
      given({ Marketing: true, Targeting: false }, {}, { location: { country: "NL" } }),
      given({ Nieuwsbrief: true, Necessary: true, Social: true, Analytics: "yes" }),
      given({ Social: true, constructor: true }),
      { context: { consent: "all" } },
      {},
    ];
    const rules = { consent: { categories: { nieuwsbrief: "personalisation" } } };
    await rowsUnder(rules, calls, (rows, store) => {
      expect(rows.map(({ consent }) => parsed(consent))).to.deep.equal([
        { advertising: true, analytics: false, ad_user_data: true, jurisdiction: "EU" },
        { advertising: false, jurisdiction: "NL" },
        { personalisation: true },
        null,
        null,
        null,
      ]);
      expect(noted(store, "unknown_consent")).to.deep.equal({
        Analytics: 1,
        Social: 2,
        constructor: 1,
      });
      expect(noted(store, "unknown_event")).to.deep.equal({});
    });
  });

  it("say where it happened, for which campaign, and what it cost", async () => {
    const calls = [
      { event: "Email Opened", properties: { campaign_name: "May" } },
      {
        event: "Ad Clicked",
        properties: { ad_cost: "0.12", currency: "EUR", utm_campaign: "soap" },
      },
      { event: "Ad Clicked", properties: { cost: { amount: 1 } } },
      { type: "page", context: { campaign: { name: "June" } } },
      { type: "screen" },
      { context: { library: { name: "analytics-react-native" } } },
      { channel: "web" },
      { channel: "server" },
    ];
    await rowsUnder({}, calls, (rows, store) => {
      expect(rows.map(({ channel, campaign, cost }) => [channel, campaign, cost])).to.deep.equal([
        ["email", "May", null],
        ["ad", "soap", 0.12],
        ["ad", null, null],
        ["web", "June", null],
        ["app", null, null],
        ["app", null, null],
        ["web", null, null],
        [null, null, null],
      ]);
      expect(noted(store, "impossible")).to.deep.equal({ "cost that is no number": 1 });
    });
    await rowsUnder({ channel: "store" }, [{ type: "page" }, { event: "Email Opened" }], (rows) => {
      expect(rows.map(({ channel }) => channel)).to.deep.equal(["store", "email"]);
    });
  });

  it("read a shop's own words by its rules, and ours beside them", async () => {
    const rules = {
      events: { "bestelling geplaatst": "Order Completed" },
      properties: {
        order_id: "order.nummer",
        products: "regels",
        "products[].product_id": "artikel",
        price: "prijs",
      },
    };
    const calls = [
      {
        event: "bestelling geplaatst",
        properties: {
          order: { nummer: 12 },
          regels: [
            { artikel: "A", prijs: "3.50", quantity: 2 },
            { product_id: "B", price: 9 },
          ],
        },
      },
      { event: "Product Viewed", properties: { product_id: "C", prijs: 4 } },
    ];
    await rowsUnder(rules, calls, (rows) => {
      const fields = rows.map(({ event, order_id, product_id, quantity, price }) => [
        event,
        order_id,
        product_id,
        quantity,
        price,
      ]);
      expect(fields).to.deep.equal([
        ["Order Completed", "12", "A", 2, 3.5],
        ["Order Completed", "12", "B", 1, 9],
        ["Product Viewed", null, "C", null, 4],
      ]);
      expect(parsed(rows[0]?.properties ?? null)).to.deep.include({
        event: "bestelling geplaatst",
      });
    });
  });

  it("name the shop's own field where it can't be read", async () => {
    await withStore(async (store) => {
      const rules = { properties: { products: "regels", "products[].price": "prijs" } };
      setSourceRules(store, clock, "shop", parseSourceRules(rules));
      const { key } = createWriteKey(store, clock, "shop");
      const sender = openSenders(store).find(key) ?? expect.fail("no sender");
      const properties = { regels: [{ product_id: "A", prijs: "veel" }] };
      const [result] = await createCollector(store, clock).collect({
        source: "shop",
        rules: sender.rules,
        calls: [{ type: "track", userId: "u", event: "Order Completed", properties }],
      });
      expect(result).to.deep.include({ status: "rejected", field: "properties.regels.0.prijs" });
    });
  });

  it("refuse rules that can't be, naming the field", () => {
    const bad: readonly (readonly [object, string])[] = [
      [{ properties: { orderid: "x" } }, "properties"],
      [{ identifiers: { "Card No": "traits.card" } }, "identifiers.Card No"],
      [{ identifiers: { card: "card" } }, "identifiers.card"],
      [{ consent: { categories: { Ads: "selling" } } }, "consent.categories.Ads"],
      [{ channel: "radio" }, "channel"],
      [{ region: "Nederland" }, "region"],
    ];
    for (const [rules, field] of bad) {
      expect(() => parseSourceRules(rules), field)
        .to.throw()
        .with.property("field", field);
    }
  });
});
