import { expect } from "chai";
import { readHostNames } from "../../src/config.ts";
import { holdBodies, rebind, release } from "../support/attackers.ts";
import { outcomeOf, startCommand, untilSaid } from "../support/command.ts";
import { whileServing } from "../support/serving.ts";
import { inFolder } from "../support/temporary.ts";

describe("the host that a request asks", () => {
  it("is this machine, an allowed one, or refused", async () => {
    await whileServing(
      async ({ url }) => {
        const { port } = new URL(url);
        for (const host of [
          ...["localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.10", "[::1]", "shop.internal"],
          ...[`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, "Shop.Internal:443"],
        ]) {
          expect((await rebind(url, host)).status, host).to.equal(200);
        }
        for (const host of [
          ...["evil.example", `evil.example:${port}`, "localhost.evil.example", "192.168.1.5"],
          ...["127.0.0.1.evil.example", "xlocalhost", "a.shop.internal", "[::2]", "::1", "@"],
        ]) {
          for (const path of ["/v1/health", "/v1/customers", "/v1/track", "/nothing"]) {
            const { status, text } = await rebind(url, host, path);
            expect(status, host).to.equal(421);
            expect(text).to.include("application/problem+json");
            expect(text).to.include("urn:herkoop:problem:misdirected");
          }
        }
        // What has no host at all is no browser.
        expect((await rebind(url, undefined)).status).to.equal(200);
        expect((await rebind(url, "")).status).to.equal(421);
      },
      { allowedHosts: ["shop.internal"] },
    );
  });

  it("is this machine for a page that reads, too; pages of other hosts may send only", async () => {
    await whileServing(async ({ url, public: key }) => {
      const asked = async (
        origin: string,
        path: string,
      ): Promise<[number | undefined, boolean]> => {
        const { status, text } = await rebind(url, "localhost", path, { Origin: origin });
        return [status, /access-control/i.test(text)];
      };
      expect(await asked("http://localhost:3000", "/v1/customers")).to.deep.equal([200, false]);
      for (const origin of ["https://evil.example", "null", "http://localhost.evil.example"]) {
        expect(await asked(origin, "/v1/customers"), origin).to.deep.equal([403, false]);
        expect(await asked(origin, "/v1/openapi.json"), origin).to.deep.equal([403, false]);
      }
      const sent = await fetch(`${url}/v1/p`, {
        method: "POST",
        headers: { Origin: "https://shop.example" },
        body: JSON.stringify({ anonymousId: "v", writeKey: key }),
      });
      expect([sent.status, sent.headers.get("access-control-allow-origin")]).to.deep.equal([
        200,
        "*",
      ]);
    });
  });

  it("is checked before a body is read", async () => {
    await whileServing(async ({ url }) => {
      const held = await holdBodies(url, {
        count: 1,
        announce: 1000,
        headers: { Origin: "null" },
        path: "/v1/customers",
      });
      expect(await held[0]?.status).to.equal(403);
      release(held);
    });
  });
});

describe("names of allowed hosts", () => {
  it("are names, not addresses of pages", () => {
    expect(readHostNames([" Events.Example.com", "", "[::1]"], "x")).to.deep.equal([
      "events.example.com",
      "[::1]",
    ]);
    for (const wrong of ["https://shop.example", "shop.example:80", "shop.example/", "*", "a b"]) {
      expect(() => readHostNames([wrong], "--allowed-host"), wrong).to.throw(/^--allowed-host: /);
    }
  });
});

describe("a server that other machines reach", () => {
  it("says so, and answers for the names it is given", async () => {
    await inFolder(async (folder) => {
      const serve = ["serve", "--port", "0", "--host", "0.0.0.0", "--allowed-host", "shop.example"];
      const child = startCommand(folder, serve);
      const ended = outcomeOf(child);
      const said = await untilSaid(child, "openapi.json");
      const { port } = new URL(/http:\S+/.exec(said)?.[0] ?? "");
      const url = `http://127.0.0.1:${port}`;
      expect((await rebind(url, "shop.example")).status).to.equal(200);
      expect((await rebind(url, "other.example")).status).to.equal(421);
      child.kill("SIGTERM");
      const { stderr, code } = await ended;
      expect(code).to.equal(0);
      expect(stderr).to.match(/^warning: 0\.0\.0\.0 is reached from other machines/);
    });
  });
});
