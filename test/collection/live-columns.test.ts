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
  readonly category: string | null;
  readonly device: string | null;
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

  it("say the product's category, of the line or of the event, and nothing of a page's", async () => {
    const calls = [
      { event: "Product Viewed", properties: { product_id: "A", category: " Soap " } },
      { event: "Product List Viewed", properties: { category: "Towels" } },
      { event: "Product Viewed", properties: { product_id: "A", category: { id: 1 } } },
      {
        event: "Order Completed",
        properties: {
          category: "Bath",
          products: [
            { product_id: "A", category: "Soap" },
            { product_id: "B" },
            { product_id: "C", soort: { naam: "Kaas" }, category: "Food" },
          ],
        },
      },
      { type: "page", category: "Help", properties: { category: "Help" } },
    ];
    const rules = { properties: { "products[].category": "soort.naam" } };
    await rowsUnder(rules, calls, (rows) => {
      expect(rows.map(({ category }) => category)).to.deep.equal([
        ...["Soap", "Towels", null, "Soap", "Bath", "Kaas", null],
      ]);
    });
    await rowsUnder({ properties: { category: "soort" } }, calls.slice(0, 1), (rows) => {
      expect(rows[0]?.category).to.equal("Soap", "ours, where theirs is not there");
    });
  });

  it("say the kind of device: as it is stated, hinted or read from the user agent", async () => {
    const agents = {
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148": "mobile",
      "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Mobile/15E148": "tablet",
      "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120.0 Mobile Safari/537.36": "mobile",
      "Mozilla/5.0 (Linux; Android 13; SM-X200) Chrome/120.0 Safari/537.36": "tablet",
      "Mozilla/5.0 (Android 13; Tablet; rv:120.0) Firefox/120.0": "tablet",
      "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)": "desktop",
      "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Firefox/120.0": "desktop",
    };
    const iPhone = Object.keys(agents)[0];
    const contexts: readonly (readonly [object, string | null])[] = [
      ...Object.entries(agents).map(([userAgent, device]) => [{ userAgent }, device] as const),
      [{ device: { type: "iOS", model: "iPhone15,2" } }, "mobile"],
      [{ device: { type: "ios", model: "iPad13,1" } }, "tablet"],
      [{ device: { type: "Android" } }, "mobile"],
      [{ device: { type: "desktop" }, userAgent: iPhone }, "desktop"],
      [{ device: { type: "smart tv" }, userAgent: iPhone }, "mobile"],
      [{ userAgentData: { mobile: true, platform: "Android" }, userAgent: "x" }, "mobile"],
      [{ userAgentData: { mobile: false, platform: "Android" } }, "tablet"],
      [{ userAgentData: { mobile: false, platform: "macOS" }, userAgent: iPhone }, "desktop"],
      [{ userAgentData: { mobile: "yes" } }, null],
      [{ device: { type: 7 }, userAgentData: [], userAgent: 7 }, null],
      [{ device: "ios", userAgent: " " }, null],
      [{}, null],
    ];
    const calls = contexts.map(([context]) => ({ context }));
    await rowsUnder({}, calls, (rows) => {
      expect(rows.map(({ device }) => device)).to.deep.equal(contexts.map(([, device]) => device));
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
