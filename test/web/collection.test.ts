import { gzipSync } from "node:zlib";
import { expect } from "chai";
import request from "supertest";
import { createWriteKey, revokeWriteKey } from "../../src/collection/index.ts";
import { orderCall } from "../support/live.ts";
import { withStore } from "../support/temporary.ts";
import { apiOver, clock, type TestAnswer, type TestApi } from "../support/web.ts";

interface KeyedApi extends TestApi {
  readonly key: string;
  readonly id: string;
}

async function withKey(
  work: (api: KeyedApi) => Promise<void>,
  intakeBytesMax?: number,
): Promise<void> {
  await withStore((store) => {
    const { key, id } = createWriteKey(store, clock, "webshop");
    return work({
      ...apiOver(store, intakeBytesMax === undefined ? {} : { intakeBytesMax }),
      key,
      id,
    });
  });
}

const statuses = ({ body }: TestAnswer): unknown =>
  (body as { results: { status: string }[] }).results.map(({ status }) => status);

const problem = ({ status, type, body }: TestAnswer): unknown => [
  status,
  type,
  (body as { field?: string }).field,
];

function countInbox({ store }: TestApi): unknown {
  return store.sqlite.prepare("SELECT count(DISTINCT message_id) FROM inbox").pluck().get();
}

describe("posting events", () => {
  it("takes each call at its address, and says what became of it", async () => {
    await withKey(async (api) => {
      const call = { userId: 7, event: "Cart Viewed", groupId: "g", previousId: "p" };
      for (const type of ["identify", "track", "page", "screen", "group", "alias"]) {
        const answer = await api.post(`/v1/${type}`, api.key, { ...call, messageId: type });
        expect(answer.status).to.equal(200);
        expect(answer.body).to.deep.equal({
          success: true,
          results: [{ messageId: type, status: "accepted" }],
        });
      }
      const rows = api.store.sqlite
        .prepare("SELECT type, event, user_id FROM inbox ORDER BY sequence")
        .raw()
        .all();
      expect(rows).to.deep.equal([
        ["identify", null, "7"],
        ["track", "Cart Viewed", "7"],
        ["page", "Page Viewed", "7"],
        ["screen", "Screen Viewed", "7"],
        ["group", null, "7"],
        ["alias", null, "7"],
      ]);
    });
  });

  it("refuses a bad item with its field and takes the rest", async () => {
    await withKey(async (api) => {
      const order = (properties: object): object => ({ ...orderCall("x"), properties });
      const bad: readonly (readonly [unknown, string])[] = [
        [{ ...orderCall("a"), userId: null }, "userId"],
        [{ ...orderCall("b"), userId: "nul\0" }, "userId"],
        [{ ...orderCall("c"), userId: { id: 1 } }, "userId"],
        [{ ...orderCall("d"), event: " " }, "event"],
        [{ ...orderCall("e"), type: "order" }, "type"],
        [{ ...orderCall("f"), timestamp: "2011-12-09T10:00:00" }, "timestamp"],
        [{ ...orderCall("g"), timestamp: 5 }, "timestamp"],
        [{ ...orderCall("h"), timestamp: "1900-01-01T00:00:00Z" }, "timestamp"],
        [orderCall("i".repeat(101)), "messageId"],
        [{ ...orderCall("j"), properties: "none" }, "properties"],
        [order({ products: {} }), "properties.products"],
        [order({ products: [{ product_id: "A", price: "much" }] }), "properties.products.0.price"],
        [
          order({ products: [{ product_id: "A", quantity: {} }] }),
          "properties.products.0.quantity",
        ],
        [{ ...orderCall("k"), context: { text: "x".repeat(32_768) } }, "event"],
        [{ type: "group", userId: "u" }, "groupId"],
        [{ type: "alias", userId: "u" }, "previousId"],
        ["text", "event"],
        [null, "event"],
        [[], "event"],
      ];
      const answer = await api.post("/v1/batch", api.key, {
        batch: [orderCall("good-1"), ...bad.map(([call]) => call), orderCall("good-2")],
      });
      expect(answer.status).to.equal(200);
      const { results } = answer.body as {
        results: { status: string; field?: string; reason?: string }[];
      };
      expect(results.map(({ field }) => field)).to.deep.equal([
        undefined,
        ...bad.map(([, field]) => field),
        undefined,
      ]);
      expect(results.slice(1, -1).every(({ reason }) => reason !== undefined)).to.equal(true);
      expect(countInbox(api)).to.equal(2);
      const kept = api.store.sqlite
        .prepare("SELECT field FROM rejected_message ORDER BY sequence")
        .pluck()
        .all();
      expect(kept).to.deep.equal(bad.map(([, field]) => field));
    });
  });

  it("counts a message once, within a batch and after it, whoever has an id of its own", async () => {
    await withKey(async (api) => {
      const batch = [orderCall("a"), orderCall("a"), orderCall("b")];
      const first = await api.post("/v1/batch", api.key, { batch, sentAt: "2011-12-10T06:00:00Z" });
      expect(statuses(first)).to.deep.equal(["accepted", "duplicate", "accepted"]);
      const again = await api.post("/v1/batch", api.key, { batch, sentAt: "2011-12-10T06:00:09Z" });
      expect(statuses(again)).to.deep.equal(Array(3).fill("duplicate"));
      const other = createWriteKey(api.store, clock, "app");
      expect(
        statuses(await api.post("/v1/batch", other.key, { batch: [orderCall("a")] })),
      ).to.deep.equal(["accepted"]);
    });
  });

  it("counts calls without ids by their content: each of a request, once however often the request comes", async () => {
    await withKey(async (api) => {
      const send = async (batch: readonly object[], sentAt: string): Promise<unknown> =>
        statuses(await api.post("/v1/batch", api.key, { batch, sentAt }));
      const timed = { type: "page", anonymousId: "v", timestamp: "2011-12-09T10:00:00Z" };
      const twice = [timed, { ...timed, anonymousId: "w" }, timed];
      expect(await send(twice, "2011-12-10T06:00:00Z")).to.deep.equal(Array(3).fill("accepted"));
      expect(await send(twice, "2011-12-10T06:00:09Z")).to.deep.equal(Array(3).fill("duplicate"));
      // A part of it, and one more than before.
      expect(await send([timed], "2011-12-10T06:00:10Z")).to.deep.equal(["duplicate"]);
      expect(await send([timed, timed, timed], "2011-12-10T06:00:11Z")).to.deep.equal([
        "duplicate",
        "duplicate",
        "accepted",
      ]);
      // Without a time of their own, in the same millisecond.
      const untimed = { type: "page", anonymousId: "v" };
      for (let request = 0; request < 3; request++) {
        expect(await send([untimed, untimed], "2011-12-10T06:00:12Z")).to.deep.equal(
          Array(2).fill("accepted"),
        );
      }
      expect(countInbox(api)).to.equal(4 + 6);
    });
  });

  it("counts what a batch's calls share as part of each", async () => {
    await withKey(async (api) => {
      const call = (messageId: string, more: object = {}): object => ({
        type: "page",
        messageId,
        userId: "u",
        ...more,
      });
      const fields = async (batch: readonly object[], context: unknown): Promise<unknown> => {
        const { body } = await api.post("/v1/batch", api.key, { batch, context });
        return (body as { results: { field?: string }[] }).results.map(({ field }) => field);
      };
      const large = { properties: { text: "x".repeat(20_000) } };
      const shared = { text: "x".repeat(20_000) };
      expect(
        await fields([call("a"), call("b", large), call("c", { ...large, context: {} })], shared),
      ).to.deep.equal([undefined, "event", undefined]);
      const batch = Array.from({ length: 300 }, (_, index) => call(`n${index}`));
      const { status, body } = await api.post("/v1/batch", api.key, { batch, context: shared });
      expect([status, (body as { field: string }).field]).to.deep.equal([413, "context"]);
      expect(countInbox(api)).to.equal(2);
    });
  });

  it("refuses a call that is nested too deep, alone, wherever it is", async () => {
    await withKey(async (api) => {
      const nested = (levels: number): string => `${'{"a":['.repeat(levels)}${"]}".repeat(levels)}`;
      const deep = nested(150_000);
      const call = (id: string, more: string): string =>
        `{"type":"page","userId":"u","messageId":"${id}"${more}}`;
      const post = async (address: string, text: string): Promise<unknown> => {
        const { status, body } = await api.post(address, api.key, Buffer.from(text));
        const { results } = body as { results?: { field?: string; reason?: string }[] };
        return [status, results?.map(({ field, reason }) => [field, reason])];
      };
      const good = [undefined, undefined];
      const refused = (field: string): unknown => [field, "nested too deep"];
      const batch = [
        call("a", ""),
        call("b", `,"context":${deep}`),
        call("c", `,"properties":${nested(49)}`),
        call("d", `,"properties":${nested(51)}`),
      ];
      expect(await post("/v1/batch", `{"batch":[${batch.join(",")}]}`)).to.deep.equal([
        200,
        [good, refused("event"), good, refused("event")],
      ]);
      const own = call("f", ',"context":{}');
      expect(
        await post("/v1/batch", `{"context":${deep},"batch":[${call("e", "")},${own}]}`),
      ).to.deep.equal([200, [refused("context"), good]]);
      expect(await post("/v1/page", call("g", `,"context":${deep}`))).to.deep.equal([
        200,
        [refused("event")],
      ]);
      expect(await post("/v1/page", "[".repeat(300_000))).to.deep.equal([400, undefined]);
      expect(
        await post("/v1/batch", `{"sentAt":${deep},"x":${deep},"batch":[${call("h", "")}]}`),
      ).to.deep.equal([200, [["sentAt", "expected an ISO 8601 instant with a zone"]]]);
    });
  });

  it("corrects the sender's clock, and lets nothing happen after it arrived", async () => {
    await withKey(async (api) => {
      const call = (messageId: string, timestamp: string | null, sentAt?: string): object => ({
        type: "page",
        messageId,
        userId: "u",
        timestamp,
        sentAt,
      });
      const batch = [
        call("slow", "2011-12-09T05:00:00Z", "2011-12-09T05:00:10Z"),
        call("fast", "2031-01-01T00:00:00.123456789+01:00", "2031-01-01T00:01:00+01:00"),
        call("future", "2031-01-01T00:00:00Z"),
        call("past", "2011-12-01T00:00:00Z"),
        call("none", null),
      ];
      await api.post("/v1/batch", api.key, { batch });
      const rows = api.store.sqlite
        .prepare("SELECT message_id, known_at_ms - occurred_at_ms FROM inbox ORDER BY sequence")
        .raw()
        .all();
      expect(rows).to.deep.equal([
        ["slow", 10_000],
        ["fast", 59_877],
        ["future", 0],
        ["past", clock.now() - Date.UTC(2011, 11, 1)],
        ["none", 0],
      ]);
    });
  });

  it("reads the body whatever the content type and the encoding say", async () => {
    await withKey(async (api) => {
      const body = (id: string): Buffer => Buffer.from(JSON.stringify({ batch: [orderCall(id)] }));
      const form = { "Content-Type": "application/x-www-form-urlencoded" };
      const sent: readonly (readonly [Buffer | object, Readonly<Record<string, string>>])[] = [
        [gzipSync(body("a")), { ...form, "Content-Encoding": "gzip" }],
        [gzipSync(body("b")), form],
        [body("c"), { ...form, "Content-Encoding": "gzip" }],
        [{ batch: [orderCall("d")] }, { "Content-Type": "application/json; charset=utf-8" }],
      ];
      for (const [bytes, headers] of sent) {
        const answer = await api.post("/v1/batch", api.key, bytes, headers);
        expect([answer.status, statuses(answer)]).to.deep.equal([200, ["accepted"]]);
      }
    });
  });

  it("refuses what is not JSON, not a batch, or too large", async () => {
    await withKey(async (api) => {
      const post = async (body: object | Buffer): Promise<unknown> =>
        problem(await api.post("/v1/batch", api.key, body));
      const type = "application/problem+json";
      expect(await post(Buffer.from("{"))).to.deep.equal([400, type, "body"]);
      expect(await post(Buffer.alloc(0))).to.deep.equal([400, type, "body"]);
      expect(await post(gzipSync("[]").subarray(0, 12))).to.deep.equal([400, type, "body"]);
      expect(await post([])).to.deep.equal([400, type, "batch"]);
      expect(await post({ batch: {} })).to.deep.equal([400, type, "batch"]);
      expect(await post(Buffer.from("null"))).to.deep.equal([400, type, "batch"]);
      expect(await post({ batch: Array(2_501).fill({}) })).to.deep.equal([413, type, "batch"]);
      expect(await post(Buffer.alloc(4_194_305, " "))).to.deep.equal([413, type, "body"]);
      expect(await post(gzipSync(Buffer.alloc(64_000_000, " ")))).to.deep.equal([
        413,
        type,
        "body",
      ]);
      const deep = Buffer.from(
        `{"batch":[{"userId":"u","type":"page","properties":${"[".repeat(30_000)}${"]".repeat(30_000)}}]}`,
      );
      expect(statuses(await api.post("/v1/batch", api.key, deep))).to.deep.equal(["rejected"]);
      expect((await api.post("/v1/batch", api.key, { batch: [] })).status).to.equal(200);
    });
  });

  it("answers only a key that is there and not revoked", async () => {
    await withKey(async (api) => {
      const page = { userId: "jan.jansen" };
      const refused = [
        await api.post("/v1/page", "hk_wrong", page),
        await api.post("/v1/page", "", page),
        await request(api.app).post("/v1/page").send(page),
        await request(api.app)
          .post("/v1/page")
          .set("Authorization", `Bearer ${api.key}`)
          .send(page),
        await request(api.app).post("/v1/page").set("Authorization", "Basic %%%").send(page),
      ];
      for (const { status, headers } of refused) {
        expect(status).to.equal(401);
        expect(headers["www-authenticate"]).to.match(/^Basic realm=/);
      }
      expect((await api.post("/v1/page", api.key, page)).status).to.equal(200);
      revokeWriteKey(api.store, clock, api.id);
      expect((await api.post("/v1/page", api.key, page)).status).to.equal(401);
      const dump = JSON.stringify(api.store.sqlite.prepare("SELECT * FROM write_key").all());
      expect(dump).not.to.include(api.key);
      expect(JSON.stringify(api.lines)).not.to.match(/jan\.jansen|hk_/);
    });
  });

  it("says 429 and when to come back rather than hold more, and recovers", async () => {
    await withKey(async (api) => {
      const large = { batch: [orderCall("large", { context: { text: "x".repeat(20_000) } })] };
      const { status, headers } = await api.post("/v1/batch", api.key, large);
      expect([status, headers["retry-after"]]).to.deep.equal([429, "1"]);
      const inflated = await api.post("/v1/batch", api.key, gzipSync(JSON.stringify(large)));
      expect(inflated.status).to.equal(429);
      expect(countInbox(api)).to.equal(0);
      const small = await api.post("/v1/batch", api.key, { batch: [orderCall("small")] });
      expect(statuses(small)).to.deep.equal(["accepted"]);
    }, 10_000);
  });
});
