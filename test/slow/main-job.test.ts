import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, seededRandom } from "../../src/base/index.ts";
import { herkoop, outcomeOf, startCommand, untilSaid } from "../support/command.ts";
import { importLines, rhythmicOrders, shopMapping } from "../support/shop.ts";
import { inFolder } from "../support/temporary.ts";

async function smallShop(folder: string): Promise<string> {
  const store = await openStore(join(folder, "store"));
  const mapping = shopMapping({
    consent: { basis: "test", purposes: ["advertising", "personalisation"] },
  });
  await importLines(store, folder, rhythmicOrders(80, 600), mapping);
  store.close();
  return store.folder;
}

interface Status {
  readonly customers: number;
  readonly history: { readonly rows: number };
  readonly models: readonly {
    readonly champion: string | null;
    readonly predictions: { readonly rows: number } | null;
  }[];
  readonly audiences: readonly { readonly name: string; readonly members: number }[];
}

async function statusOf(store: string): Promise<Status> {
  return JSON.parse((await herkoop(store, "status", "--json")).stdout) as Status;
}

describe("the main job", () => {
  it("brings the shipped sample from an empty store to audiences, beats its baselines, and repeats nothing", async () => {
    await inFolder(async (folder) => {
      const store = join(folder, "store");
      const first = await herkoop(store, "start", "--no-serve");
      expect(first.code, first.stderr).to.equal(0);
      expect(first.stdout).to.include('as of 2011-12-10T00:00:00Z: "now" is the end of the data');
      expect(first.stdout).to.match(/repurchase-week: network serves/);
      const status = await statusOf(store);
      expect(status.history.rows).to.equal(1_044_847);
      expect(status.customers).to.equal(5942);
      expect(
        status.audiences.filter((audience) => audience.name.startsWith("repurchase-")),
      ).to.have.length(12);
      const csv = readFileSync(join(store, "audiences", "repurchase-2011-W50.csv"), "utf8").split(
        "\n",
      );
      expect(csv.length - 2).to.equal(
        status.audiences.find((audience) => audience.name === "repurchase-2011-W50")?.members,
      );

      const files = readdirSync(join(store, "models", "repurchase-week"));
      const second = await herkoop(store, "start", "--no-serve");
      expect(second).to.include({ code: 0, stderr: "" });
      expect(second.stdout).to.equal(first.stdout);
      expect(readdirSync(join(store, "models", "repurchase-week"))).to.deep.equal(files);
    });
  });

  it("completes after being killed at any moment", async () => {
    await inFolder(async (folder) => {
      const store = await smallShop(folder);
      const random = seededRandom(5);
      for (let kill = 0; kill < 6; kill++) {
        const child = startCommand(store, ["start", "--no-serve"]);
        const ended = outcomeOf(child);
        const timer = setTimeout(
          () => child.kill(kill % 2 === 0 ? "SIGTERM" : "SIGKILL"),
          200 + random.below(6000),
        );
        const { code, stderr } = await ended;
        clearTimeout(timer);
        expect(code, stderr).to.be.oneOf([0, 130, null]);
      }
      const last = await herkoop(store, "start", "--no-serve");
      expect(last.code, last.stderr).to.equal(0);
      const status = await statusOf(store);
      expect(status.models.map((model) => model.predictions !== null)).to.deep.equal([true, true]);
      expect(status.audiences).to.have.length(13);
      expect(readdirSync(join(store, "history"))).to.have.length(1);
    });
  });

  it("answers while a training runs, and stops when asked", async () => {
    await inFolder(async (folder) => {
      const store = await smallShop(folder);
      await herkoop(store, "start", "--no-serve");
      const server = startCommand(store, ["serve", "--port", "0"]);
      const stopped = new Promise((resolve) => server.once("close", resolve));
      const url = /http:\/\/[\d.:]+/.exec(await untilSaid(server, "openapi.json"))?.[0] ?? "";
      const training = outcomeOf(startCommand(store, ["train", "--seed", "9"]));
      const state = { isTraining: true };
      void training.then(() => (state.isTraining = false));
      let answered = 0;
      while (state.isTraining) {
        const paths = [
          "/v1/health",
          "/v1/customers/user_id/u1/predictions",
          "/v1/audiences",
          "/v1/models",
        ];
        const answers = await Promise.all(paths.map((path) => fetch(`${url}${path}`)));
        expect(answers.map((answer) => answer.status)).to.deep.equal([200, 200, 200, 200]);
        await Promise.all(answers.map((answer) => answer.arrayBuffer()));
        answered++;
      }
      expect((await training).code).to.equal(0);
      expect(answered).to.be.above(5);
      server.kill("SIGINT");
      expect(await stopped).to.equal(0);
    });
  });
});
