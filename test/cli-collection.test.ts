import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { herkoop } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

const RULES = { events: { gekocht: "Order Completed" }, channel: "web", region: "NL" };

describe("cli of collection", function () {
  this.timeout(180_000);

  it("makes keys of both kinds, and lists and revokes them", async () => {
    await inFolder(async (store) => {
      const secret = await herkoop(
        store,
        "keys",
        "create",
        "--source",
        "till",
        "--channel",
        "store",
      );
      expect(secret.stdout).to.match(/^hk_[\w-]{32}\n\(key \w{12} of till/);
      const made = await herkoop(
        store,
        ...["keys", "create", "--source", "web", "--public", "--region", "nl", "--json"],
      );
      const key = JSON.parse(made.stdout) as { readonly id: string; readonly key: string };
      expect(key).to.include({ source: "web", isPublic: true, channel: null, region: "NL" });
      expect(key.key).to.match(/^hkp_/);
      expect((await herkoop(store, "keys", "revoke", key.id)).code).to.equal(0);
      const listed = await herkoop(store, "keys", "list");
      expect(listed.stdout)
        .to.match(/till +secret +store/)
        .and.to.match(/web +public +- +NL/);
      expect(listed.stdout).to.not.include(key.key);
      const cases: readonly (readonly [number, RegExp, readonly string[]])[] = [
        [
          2,
          /channel: expected one of web, app/,
          ["keys", "create", "--source", "w", "--channel", "x"],
        ],
        [2, /region: expected a country/, ["keys", "create", "--source", "w", "--region", "Z9"]],
        [4, /source: till has secret keys/, ["keys", "create", "--source", "till", "--public"]],
        [5, /no write key nope/, ["keys", "revoke", "nope"]],
      ];
      for (const [code, message, args] of cases) {
        const outcome = await herkoop(store, ...args);
        expect(outcome.code, args.join(" ")).to.equal(code);
        expect(outcome.stderr, args.join(" ")).to.match(message);
      }
    });
  });

  it("states and shows a source's rules, and reports quality", async () => {
    await inFolder(async (folder) => {
      const store = join(folder, "store");
      const file = join(folder, "rules.json");
      expect((await herkoop(store, "quality")).stdout).to.equal("there is no source yet\n");
      writeFileSync(file, JSON.stringify(RULES));
      expect((await herkoop(store, "sources", "set", "web", file)).code).to.equal(0);
      const shown = await herkoop(store, "sources", "show", "web");
      expect(JSON.parse(shown.stdout)).to.deep.equal(RULES);
      const [source] = JSON.parse(
        (await herkoop(store, "sources", "list", "--json")).stdout,
      ) as object[];
      expect(source).to.deep.include({ source: "web", keys: 0, rules: RULES });
      expect((await herkoop(store, "quality")).stdout).to.include("web: nothing came");
      writeFileSync(file, JSON.stringify({ chanel: "web" }));
      const refused = await herkoop(store, "sources", "set", "web", file);
      expect([refused.code, refused.stderr]).to.deep.equal([
        2,
        `herkoop: ${file}: Unrecognized key: "chanel"\n`,
      ]);
      expect((await herkoop(store, "sources", "show", "app")).code).to.equal(5);
      expect((await herkoop(store, "quality", "--since", "soon")).code).to.equal(2);
    });
  });
});
