import { expect } from "chai";
import request from "supertest";
import { encodeCursor } from "../../src/web/input.ts";
import { withEmptyApi, withShopApi } from "../support/web.ts";

const cursor = (...parts: (string | number)[]): string => `cursor=${encodeCursor(parts)}`;

const CUSTOMERS = "/v1/customers";
const POOL = "/v1/audiences/retargeting-pool";
const CUT = "/v1/pruning/cut";

/** Addresses that are refused, and the field that is to blame. */
const BAD_INPUT: readonly (readonly [string, string])[] = [
  [`${CUSTOMERS}?limit=0`, "limit"],
  [`${CUSTOMERS}?limit=1001`, "limit"],
  [`${CUSTOMERS}?limit=1.5`, "limit"],
  [`${CUSTOMERS}?limit=0x10`, "limit"],
  [`${CUSTOMERS}?limit=`, "limit"],
  [`${CUSTOMERS}?limit=1&limit=2`, "limit"],
  [`${CUSTOMERS}?cursor=`, "cursor"],
  [`${CUSTOMERS}?cursor=MTI`, "cursor"],
  [`${CUSTOMERS}?${cursor("1")}`, "cursor"],
  [`${CUSTOMERS}?${cursor(-1)}`, "cursor"],
  [`${CUSTOMERS}?${cursor(1, 2)}`, "cursor"],
  [`${CUSTOMERS}?${cursor(1)}=`, "cursor"],
  [`${CUSTOMERS}?offset=10`, "offset"],
  [`${CUSTOMERS}?offset=10&sort=id`, "offset, sort"],
  [`${CUSTOMERS}?__proto__=1`, "__proto__"],
  [`${CUSTOMERS}/E-mail/a`, "type"],
  [`${CUSTOMERS}/user_id/jan.jansen?fields=id`, "fields"],
  [`${POOL}?${cursor(1)}`, "cursor"],
  [`${POOL}?minimumProbability=`, "minimumProbability"],
  [`${POOL}?minimumProbability=1.01`, "minimumProbability"],
  [`${POOL}?minimumProbability=much`, "minimumProbability"],
  [`${POOL}?format=xml`, "format"],
  [`${POOL}?product=`, "product"],
  ["/v1/audiences?kind=repurchase", "kind"],
  ["/v1/repurchase/2011-50", "week"],
  ["/v1/repurchase/2011-W60", "week"],
  ["/v1/repurchase/2011-W00", "week"],
  [CUT, "maximumLoss"],
  [`${CUT}?maximumLoss=2`, "maximumLoss"],
  [`${CUT}?maximumLoss=`, "maximumLoss"],
  [`${CUT}?maximumLoss=0.1&budget=5`, "budget"],
  [`${CUT}?maximumLoss=0.1&bound=high`, "bound"],
  [`${CUT}?budget=-1`, "budget"],
  [`${CUT}?budget=5&costPerMember=0`, "costPerMember"],
  [`${CUT}?budget=5&bound=low`, "bound"],
  [`${CUT}?maximumLoss=0.1&costPerMember=2`, "costPerMember"],
  ["/v1/health?deep=1", "deep"],
];

describe("problems", () => {
  it("name the field and what was expected of it", async () => {
    await withShopApi(async ({ get }) => {
      for (const [address, field] of BAD_INPUT) {
        const { status, type, body, headers } = await get(address);
        expect([status, type], address).to.deep.equal([400, "application/problem+json"]);
        const { detail, ...rest } = body as { detail: string };
        expect(rest, address).to.deep.equal({
          type: "urn:herkoop:problem:invalid-input",
          title: "Invalid input",
          status: 400,
          field,
        });
        expect(detail.startsWith(`${field}: `), detail).to.equal(true);
        expect(headers["cache-control"]).to.equal("no-store");
      }
    });
  });

  it("say what would have been right", async () => {
    await withShopApi(async ({ get }) => {
      const detail = async (address: string): Promise<string> =>
        ((await get(address)).body as { detail: string }).detail;
      expect(await detail(`${CUSTOMERS}?limit=0`)).to.equal(
        "limit: expected a whole number from 1 to 1000",
      );
      expect(await detail(`${CUSTOMERS}?limits=5`)).to.equal(
        "limits: no such parameter; nearest: limit; this address takes limit, cursor",
      );
      expect(await detail("/v1/models/repurchase/versions/v1")).to.equal(
        "model: there is none of that name; nearest: repurchase-week",
      );
    });
  });

  it("are 404 for what there is not", async () => {
    await withShopApi(async ({ app, get }) => {
      for (const [address, field] of [
        ["/v1/customers/user_id/nobody", "user_id"],
        ["/v1/customers/user_id/nobody/predictions", "user_id"],
        ["/v1/customers/anonymous_id/jan.jansen", "anonymous_id"],
        ["/v1/audiences/everybody", "audience"],
        ["/v1/repurchase/2010-W01", "audience"],
        ["/v1/models/churn/versions/v1", "model"],
        ["/v1/models/repurchase-week/versions/intent-v1", "version"],
        ["/v1/everything", undefined],
        ["/v2/health", undefined],
      ] as const) {
        const { type, body } = await get(address);
        expect(type, address).to.equal("application/problem+json");
        expect(body, address).to.deep.include({
          type: "urn:herkoop:problem:not-found",
          status: 404,
          ...(field === undefined ? {} : { field }),
        });
      }
      expect((await request(app).post("/v1/everything")).status).to.equal(404);
    });
  });

  it("are 404 for an audience before the first is published, too", async () => {
    await withEmptyApi(async ({ get }) => {
      for (const address of ["/v1/audiences/everybody", "/v1/audiences/repurchase-soon"]) {
        const { status, body } = await get(address);
        expect([status, (body as { detail: string }).detail]).to.deep.equal([
          404,
          'no audience is published yet: run "herkoop audiences --refresh"',
        ]);
      }
    });
  });

  it("are 405 for a method that an address does not take, and name those it takes", async () => {
    await withShopApi(async ({ app }) => {
      for (const [method, address, allow] of [
        ["post", "/v1/customers", "GET, HEAD, OPTIONS"],
        ["delete", "/v1/customers/user_id/jan.jansen", "GET, HEAD, OPTIONS"],
        ["put", "/v1/openapi.json", "GET, HEAD, OPTIONS"],
        ["get", "/v1/batch", "OPTIONS, POST"],
        ["get", "/v1/duplicates/1/join", "OPTIONS, POST"],
      ] as const) {
        const answer = await request(app)[method](address);
        expect([answer.status, answer.headers["allow"]], address).to.deep.equal([405, allow]);
        expect((answer.body as { type: string }).type).to.equal(
          "urn:herkoop:problem:method-not-allowed",
        );
      }
      expect((await request(app).head("/v1/batch")).status).to.equal(405);
      expect((await request(app).head("/v1/customers")).status).to.equal(200);
      for (const address of ["/v1/customers", "/v1/batch"]) {
        const { status, headers } = await request(app).options(address);
        expect([status, headers["allow"]?.includes("OPTIONS")], address).to.deep.equal([204, true]);
      }
      expect((await request(app).options("/v1/nothing")).status).to.equal(404);
    });
  });

  it("are 400 for an address that can't be decoded", async () => {
    await withShopApi(async ({ get }) => {
      const { status, type, text } = await get("/v1/customers/user_id/jan.jansen%E0%A4%A");
      expect([status, type]).to.deep.equal([400, "application/problem+json"]);
      expect(text).not.to.include("jan.jansen");
    });
  });

  it("tell nothing of a fault of our own, and log it with its stack", async () => {
    await withShopApi(async ({ get, store, lines }) => {
      store.close();
      const { status, body, text } = await get("/v1/customers/user_id/jan.jansen");
      expect(status).to.equal(500);
      expect(body).to.deep.equal({
        type: "about:blank",
        title: "Internal Server Error",
        status: 500,
        detail: "something went wrong here; the log has the details",
      });
      expect(text).not.to.match(/database|node_modules|\.ts/);
      expect(lines).to.have.lengthOf(1);
      expect(lines[0]).to.include({ level: 50, status: 500, msg: "request failed" });
      const { message, stack } = lines[0]?.["err"] as Record<string, string>;
      expect(message).to.include("database connection is not open");
      expect(stack).to.include("at ");
    });
  });
});

describe("headers", () => {
  it("tell nothing of the machinery and guard the browser", async () => {
    await withShopApi(async ({ get }) => {
      const { headers } = await get("/v1/health");
      expect(headers).not.to.have.property("x-powered-by");
      expect(headers).to.include({ "x-content-type-options": "nosniff" });
    });
  });
});

describe("the log", () => {
  it("has one line per request, of method, route, status and time", async () => {
    await withShopApi(async ({ get, lines }) => {
      await get("/v1/customers/user_id/jan.jansen/predictions");
      await get("/v1/customers?limit=0");
      await get("/nowhere");
      const { milliseconds, time } = lines[0] ?? {};
      expect(milliseconds).to.be.a("number");
      expect(lines.map((line) => ({ ...line, milliseconds, time }))).to.deep.equal(
        [
          ["/v1/customers/{type}/{id}/predictions", 200] as const,
          ["/v1/customers", 400] as const,
          [null, 404] as const,
        ].map(([route, status]) => ({
          level: 30,
          time,
          method: "GET",
          route,
          status,
          milliseconds,
          msg: "request completed",
        })),
      );
    });
  });

  it("never holds an identifier, whatever the address and the outcome", async () => {
    await withShopApi(async ({ get, app, store, lines }) => {
      const addresses = [
        "/v1/customers/user_id/jan.jansen",
        "/v1/customers/user_id/jan.jansen/predictions",
        "/v1/customers/anonymous_id/jan.jansen",
        "/v1/customers/jan.jansen/1",
        "/v1/customers/user_id/jan.jansen%E0%A4%A",
        "/v1/customers?jan.jansen=1",
        "/v1/customers?cursor=jan.jansen",
        "/v1/audiences/jan.jansen",
        `${POOL}?product=jan.jansen`,
        `${POOL}?format=csv`,
        "/v1/models/jan.jansen/versions/jan.jansen",
        "/jan.jansen",
      ];
      for (const address of addresses) {
        await get(address);
      }
      await request(app)
        .post("/v1/customers?jan.jansen")
        .set("Referer", "http://shop/jan.jansen")
        .send({ id: "jan.jansen" });
      store.close();
      await get("/v1/customers/user_id/jan.jansen");
      expect(lines).to.have.lengthOf(addresses.length + 2);
      expect(JSON.stringify(lines)).not.to.include("jan.jansen");
    });
  });
});
