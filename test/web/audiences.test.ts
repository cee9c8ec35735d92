import { expect } from "chai";
import fc from "fast-check";
import request from "supertest";
import type { Store } from "../../src/base/index.ts";
import {
  POOL_POSITIONS,
  publishShop,
  STAMPS,
  type TestApi,
  withEmptyApi,
  withShopApi,
} from "../support/web.ts";

interface MemberPage {
  readonly version: number;
  readonly data: readonly {
    readonly position: number;
    readonly customerId: number;
    readonly customer: string;
    readonly product: string;
  }[];
  readonly page: { readonly next: string | null };
}

const POOL = "/v1/audiences/retargeting-pool";

async function membersOf(api: TestApi, address: string): Promise<MemberPage["data"]> {
  return ((await api.get(address)).body as MemberPage).data;
}

/** The positions on all pages, one after the other. */
async function walk(api: TestApi, limit: number): Promise<number[]> {
  const positions: number[] = [];
  let next: string | null = "";
  while (next !== null) {
    const cursor: string = next === "" ? "" : `&cursor=${next}`;
    const { data, page } = (await api.get(`${POOL}?limit=${limit}${cursor}`)).body as MemberPage;
    expect(data.length).to.be.at.most(limit);
    positions.push(...data.map(({ position }) => position));
    next = page.next;
  }
  return positions;
}

function setConsent(store: Store, customerId: number, status: "granted" | "denied"): void {
  store.sqlite
    .prepare("UPDATE consent SET status = ? WHERE customer_id = ?")
    .run(status, customerId);
}

describe("audiences", () => {
  it("are listed with their stamps and those members who can be read", async () => {
    await withShopApi(async ({ get }) => {
      const { body } = await get("/v1/audiences");
      const { data } = body as { data: { name: string; members: number }[] };
      expect(data.map(({ name, members }) => [name, members])).to.deep.equal([
        ["repurchase-2011-W49", 0],
        ["repurchase-2011-W50", 3],
        ["repurchase-2011-W51", 3],
        ["retargeting-pool", 10],
      ]);
      expect(data[1]).to.deep.equal({
        name: "repurchase-2011-W50",
        version: 1,
        kind: "repurchase",
        week: "2011-W50",
        weekStart: "2011-12-12T00:00:00Z",
        weekEnd: "2011-12-19T00:00:00Z",
        purpose: "personalisation",
        candidates: 5,
        members: 3,
        ...STAMPS.repurchase,
        links: {
          json: "/v1/audiences/repurchase-2011-W50",
          csv: "/v1/audiences/repurchase-2011-W50?format=csv",
        },
      });
      const weekly = await get("/v1/repurchase");
      expect(weekly.body).to.deep.equal({ data: data.slice(0, 3) });
    });
  });

  it("tell who is due for what in a week, the most probable first", async () => {
    await withShopApi(async ({ get }) => {
      const { body, headers } = await get("/v1/repurchase/2011-W50");
      const soap = { product: "A", productName: 'Lavender "soap", 2 pieces', percentile: 0.75 };
      expect(body).to.deep.include({ name: "repurchase-2011-W50", ...STAMPS.repurchase });
      expect((body as MemberPage).data).to.deep.equal([
        { position: 1, customerId: 1, customer: "jan.jansen", probability: 0.12, ...soap },
        { position: 2, customerId: 2, customer: "=cmd()", probability: 0.12, ...soap },
        {
          position: 5,
          customerId: 1,
          customer: "jan.jansen",
          product: "B",
          productName: null,
          probability: 0.07,
          percentile: 0.75,
        },
      ]);
      expect(headers["cache-control"]).to.equal("no-store");
      expect((await get("/v1/audiences/repurchase-2011-W50")).body).to.deep.equal(body);
    });
  });

  it("are narrowed by product and by probability", async () => {
    await withShopApi(async (api) => {
      const customers = async (query: string): Promise<string[]> =>
        (await membersOf(api, `/v1/repurchase/2011-W50?${query}`)).map(
          ({ customer, product }) => `${customer} ${product}`,
        );
      expect(await customers("product=B")).to.deep.equal(["jan.jansen B"]);
      expect(await customers("minimumProbability=0.1")).to.deep.equal(["jan.jansen A", "=cmd() A"]);
      expect(await customers("product=B&minimumProbability=0.1")).to.deep.equal([]);
      const csv = await api.get("/v1/repurchase/2011-W50?format=csv&product=B");
      expect(csv.text.trim().split("\n")).to.have.lengthOf(2);
    });
  });

  it("show each consenting member once and nobody else, whatever the limit and the consents", async () => {
    await withShopApi(async (api) => {
      const customers = [1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13];
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 13 }),
          fc.subarray(customers),
          async (limit, granted) => {
            for (const id of customers) {
              setConsent(api.store, id, granted.includes(id) ? "granted" : "denied");
            }
            const order = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13];
            const expected = granted.map((id) => order.indexOf(id) + 1);
            expect(await walk(api, limit)).to.deep.equal(expected);
          },
        ),
        { numRuns: 25 },
      );
    });
  });

  it("lose a member at once when consent is withdrawn, in JSON, CSV and counts", async () => {
    await withShopApi(async (api) => {
      expect(await walk(api, 1000)).to.deep.equal(POOL_POSITIONS);
      expect((await api.get(`${POOL}?format=csv`)).text).to.include("jan.jansen");
      setConsent(api.store, 1, "denied");
      expect(await walk(api, 1000)).to.deep.equal(POOL_POSITIONS.slice(1));
      expect((await api.get(`${POOL}?format=csv`)).text).not.to.include("jan.jansen");
      const { data } = (await api.get("/v1/audiences")).body as { data: { members: number }[] };
      expect(data.map(({ members }) => members)).to.deep.equal([0, 1, 1, 9]);
    });
  });

  it("refuse a cursor of an earlier version or of another audience", async () => {
    await withShopApi(async ({ get, store }) => {
      const { page } = (await get(`${POOL}?limit=2`)).body as MemberPage;
      const other = await get(`/v1/repurchase/2011-W50?cursor=${page.next ?? ""}`);
      expect(other.body).to.deep.include({ status: 400, field: "cursor" });
      await publishShop(store);
      const stale = await get(`${POOL}?limit=2&cursor=${page.next ?? ""}`);
      expect(stale.status).to.equal(409);
      expect(stale.body).to.deep.include({
        type: "urn:herkoop:problem:conflict",
        field: "cursor",
      });
    });
  });

  it("are not ready before anything is published", async () => {
    await withEmptyApi(async ({ get }) => {
      for (const address of [POOL, `${POOL}?format=csv`, "/v1/repurchase/2011-W50"]) {
        const { status, body, headers } = await get(address);
        expect(status).to.equal(503);
        expect(headers["retry-after"]).to.equal("10");
        expect(body).to.deep.include({ type: "urn:herkoop:problem:not-ready" });
      }
      expect((await get("/v1/audiences")).body).to.deep.equal({ data: [] });
    });
  });
});

describe("an audience as CSV", () => {
  const header =
    "audience,position,customer,product,product_name,probability,percentile,model_version,as_of,data_through,computed_at";
  const stamps = "repurchase-v1,2011-12-10T00:00:00Z,2011-12-09T00:00:00Z,2011-12-10T06:00:00Z";

  it("is whole, stamped, and its formulas are harmless", async () => {
    await withShopApi(async ({ get }) => {
      const { text, headers } = await get("/v1/repurchase/2011-W50?format=csv");
      const soap = 'A,"Lavender ""soap"", 2 pieces",0.12,0.75';
      expect(text.trim().split("\n")).to.deep.equal([
        header,
        `repurchase-2011-W50,1,jan.jansen,${soap},${stamps}`,
        `repurchase-2011-W50,2,'=cmd(),${soap},${stamps}`,
        `repurchase-2011-W50,5,jan.jansen,B,,0.07,0.75,${stamps}`,
      ]);
      expect(headers).to.include({
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": "attachment; filename=repurchase-2011-W50.csv",
        "cache-control": "no-store",
        "herkoop-model-version": "repurchase-v1",
        "herkoop-as-of": "2011-12-10T00:00:00Z",
        "herkoop-data-through": "2011-12-09T00:00:00Z",
        "herkoop-computed-at": "2011-12-10T06:00:00Z",
      });
    });
  });

  it("comes by the Accept header too, unless format says otherwise", async () => {
    await withShopApi(async ({ app, get }) => {
      const asked = (address: string) => request(app).get(address).set("Accept", "text/csv");
      const csv = await asked(POOL);
      expect(csv.text.split("\n")[0]).to.equal(header);
      expect(csv.headers["vary"]).to.include("Accept");
      expect((await asked(`${POOL}?format=json`)).type).to.equal("application/json");
      expect((await get(POOL)).type).to.equal("application/json");
    });
  });

  it("is its header alone where nobody is due, ends at limit if given, and has no pages", async () => {
    await withShopApi(async ({ app, get }) => {
      expect((await get("/v1/repurchase/2011-W49?format=csv")).text).to.equal(`${header}\n`);
      const two = await get(`${POOL}?format=csv&limit=2`);
      expect(two.text.trim().split("\n")).to.have.lengthOf(3);
      const { page } = (await get(`${POOL}?limit=2`)).body as MemberPage;
      const paged = await get(`${POOL}?format=csv&cursor=${page.next ?? ""}`);
      expect(paged.body).to.deep.include({ status: 400, field: "cursor" });
      const head = await request(app).head(`${POOL}?format=csv`);
      expect(head.headers["herkoop-model-version"]).to.equal("intent-v1");
    });
  });
});
