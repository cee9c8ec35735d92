import { join } from "node:path";
import { expect } from "chai";
import { openStore } from "../../src/base/index.ts";
import {
  createWriteKey,
  type KeyRules,
  parseSourceRules,
  setSourceRules,
} from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { inFolder } from "../support/temporary.ts";
import { clock } from "../support/web.ts";

const SHOP = "https://shop.example";

interface Page {
  readonly service: Service;
  readonly url: string;
  readonly key: string;
  readonly folder: string;
}

async function withPage(rules: KeyRules, work: (page: Page) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
    const service = await openService(config, { quiet: true });
    try {
      const { key } = createWriteKey(service.store, clock, "web", rules);
      const server = await startServer(service, "127.0.0.1", 0, () => () => undefined);
      try {
        await work({ service, url: server.url, key, folder: join(folder, "store") });
      } finally {
        await server.close();
      }
    } finally {
      service.close();
    }
  });
}

const PAGE = { type: "page", anonymousId: "v" };
const basic = (key: string): string => `Basic ${Buffer.from(`${key}:`).toString("base64")}`;

const inbox = ({ service }: Page): unknown[] =>
  service.store.sqlite
    .prepare("SELECT type, event, channel, is_claim FROM inbox ORDER BY sequence")
    .raw()
    .all();

describe("a web page's calls", () => {
  it("pass a browser's preflight, and are claims", async () => {
    await withPage({ isPublic: true, channel: "web" }, async (page) => {
      const preflight = await fetch(`${page.url}/v1/track`, {
        method: "OPTIONS",
        headers: {
          Origin: SHOP,
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "authorization,content-type,anonymousid",
        },
      });
      expect(preflight.status).to.equal(204);
      expect(preflight.headers.get("access-control-allow-origin")).to.equal("*");
      expect(preflight.headers.get("access-control-allow-methods")).to.equal("POST");
      expect(preflight.headers.get("access-control-allow-headers")).to.equal(
        "authorization,content-type,anonymousid",
      );
      const sent = await fetch(`${page.url}/v1/track`, {
        method: "POST",
        headers: {
          Origin: SHOP,
          Authorization: basic(page.key),
          "Content-Type": "application/json",
        },
        body: JSON.stringify({ anonymousId: "v", userId: "jan", event: "Cart Viewed" }),
      });
      expect(sent.status).to.equal(200);
      expect(sent.headers.get("access-control-allow-origin")).to.equal("*");
      expect(inbox(page)).to.deep.equal([["track", "Cart Viewed", "web", 1]]);
    });
  });

  it("come as analytics.js and beacons send them: short addresses, plain text, the key in the body", async () => {
    await withPage({ isPublic: true }, async (page) => {
      const post = async (address: string, body: object): Promise<number> => {
        const headers = { Origin: SHOP, "Content-Type": "text/plain" };
        const options = { method: "POST", headers, body: JSON.stringify(body) };
        return (await fetch(`${page.url}${address}`, options)).status;
      };
      const writeKey = page.key;
      expect(await post("/v1/p", { ...PAGE, messageId: "1", writeKey })).to.equal(200);
      expect(await post("/v1/b", { batch: [{ ...PAGE, messageId: "2" }], writeKey })).to.equal(200);
      const beacon = `/beacon/v1/batch?writeKey=${writeKey}`;
      expect(await post(beacon, { batch: [{ ...PAGE, messageId: "3" }] })).to.equal(200);
      expect(await post("/v1/p", { ...PAGE, messageId: "4" })).to.equal(401);
      expect(await post("/v1/p", { ...PAGE, messageId: "5", writeKey: { $ne: 1 } })).to.equal(401);
      expect(inbox(page)).to.deep.equal(Array(3).fill(["page", "Page Viewed", "web", 1]));
    });
  });

  it("are refused with a secret key, which a page would tell everybody", async () => {
    await withPage({}, async (page) => {
      const post = (headers: Readonly<Record<string, string>>, query = ""): Promise<Response> =>
        fetch(`${page.url}/v1/page${query}`, {
          method: "POST",
          headers,
          body: JSON.stringify(PAGE),
        });
      const refused = await post({ Origin: SHOP, Authorization: basic(page.key) });
      expect(refused.status).to.equal(401);
      expect(refused.headers.get("access-control-allow-origin")).to.equal("*");
      expect(await refused.text()).to.include("--public");
      expect((await post({}, `?writeKey=${page.key}`)).status).to.equal(401);
      expect((await post({ Authorization: basic(page.key) })).status).to.equal(200);
      expect(inbox(page)).to.deep.equal([["page", "Page Viewed", "web", 0]]);
    });
  });

  it("follow rules that another process states, at the next request", async () => {
    await withPage({}, async (page) => {
      const send = async (): Promise<void> => {
        const answer = await fetch(`${page.url}/v1/track`, {
          method: "POST",
          headers: { Authorization: basic(page.key) },
          body: JSON.stringify({ userId: "u", event: "gekocht" }),
        });
        expect(answer.status).to.equal(200);
      };
      await send();
      const other = await openStore(page.folder);
      setSourceRules(other, clock, "web", parseSourceRules({ events: { gekocht: "Cart Viewed" } }));
      other.close();
      page.service.store.sqlite.exec("DELETE FROM message");
      await send();
      expect(inbox(page)).to.deep.equal([
        ["track", "gekocht", null, 0],
        ["track", "Cart Viewed", null, 0],
      ]);
    });
  });
});
