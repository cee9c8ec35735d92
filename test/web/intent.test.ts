import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import type { Express } from "express";
import { pino } from "pino";
import request from "supertest";
import { type Every, fixedClock, type Store } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { createLiveResolver } from "../../src/customers/index.ts";
import { openOnlineStore } from "../../src/features/index.ts";
import { hazardsOf, loadArtifact, loadTensorBackend } from "../../src/models/index.ts";
import { oneRow } from "../../src/models/intent/intent-model.ts";
import { openLiveIntent } from "../../src/predictions/index.ts";
import { createApp } from "../../src/web/index.ts";
import { smallIntentChampion } from "../support/intent.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-05-02T12:00:00Z");
const logger = pino({ level: "silent" });

interface Horizon {
  readonly hours: number;
  readonly probability: number;
}

interface Intent {
  readonly modelVersion: string;
  readonly probability: number;
  readonly percentile: number;
  readonly horizons: readonly Horizon[];
  readonly isBot: boolean;
  readonly ifNothingHappens: readonly Horizon[];
  readonly reasons: {
    readonly base: number;
    readonly logOdds: number;
    readonly others: number;
    readonly remainder: number;
    readonly reasons: readonly { readonly feature: string; readonly contribution: number }[];
  } | null;
}

interface Shop {
  readonly app: Express;
  readonly store: Store;
  readonly modelsFolder: string;
  /** Sends an event that happened so many seconds before now, and takes it to its customer. */
  readonly send: (secondsAgo: number, user?: string, consent?: boolean) => Promise<void>;
  readonly read: (address: string) => Promise<Intent>;
}

async function withShop(work: (shop: Shop) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    const modelsFolder = join(folder, "models");
    const { key } = createWriteKey(store, clock, "shop");
    const online = openOnlineStore(store);
    const intent = openLiveIntent({ store, clock, logger, online, modelsFolder });
    const resolve = createLiveResolver(store, clock, (taken) => {
      online.take(taken);
      intent.take(taken);
    });
    const app = createApp({ store, clock, logger, online, intent, resolveWaiting: resolve });
    let sent = 0;
    await work({
      app,
      store,
      modelsFolder,
      send: async (secondsAgo, user = "u1", consent) => {
        await request(app)
          .post("/v1/track")
          .auth(key, "")
          .send({
            messageId: `m${++sent}`,
            event: "Product Viewed",
            userId: user,
            timestamp: new Date(clock.now() - 1000 * secondsAgo).toISOString(),
            properties: { product_id: `P${sent}`, price: 10 },
            ...(consent === undefined
              ? {}
              : { context: { consent: { categoryPreferences: { personalisation: consent } } } }),
          })
          .expect(200);
        while (resolve());
      },
      read: async (address) => (await request(app).get(address).expect(200)).body as Intent,
    });
  });
}

async function featuresOf(app: Express): Promise<Readonly<Record<string, number | null>>> {
  const address = "/v1/customers/user_id/u1/features?service=conversion_intent";
  const answer = await request(app).get(address).expect(200);
  const { data } = answer.body as { data: { features: Record<string, number | null> }[] };
  return data[0]?.features ?? {};
}

describe("intent of one customer", function () {
  this.timeout(120_000);

  it("is what the tensor library says of the same features to 1e-5, and follows each event", async () => {
    await withShop(async ({ app, store, modelsFolder, send, read }) => {
      const { id } = await smallIntentChampion(store, modelsFolder);
      await send(600);
      const first = await read("/v1/customers/user_id/u1/intent");
      expect(first.modelVersion).to.equal(id);
      expect(first.horizons.map(({ hours }) => hours)).to.deep.equal([1, 24, 168]);
      expect(first.horizons[1]?.probability).to.equal(first.probability);
      const rising = first.horizons.map(({ probability }) => probability);
      expect(rising).to.deep.equal([...rising].sort((a, b) => a - b));
      for (let event = 0; event < 6; event++) {
        await send(300 - 10 * event);
      }
      const second = await read("/v1/customers/user_id/u1/intent");
      expect(second.probability).to.be.greaterThan(first.probability + 0.1);
      expect(second.percentile).to.be.closeTo(second.probability, 1e-9);
      const values = await featuresOf(app);
      const { fitted, service } = loadArtifact(modelsFolder, "conversion-intent", id);
      const row = Float32Array.from(service.features, (name) => values[name] ?? Number.NaN);
      const one = oneRow(service.features, row);
      const [last] = await hazardsOf(await loadTensorBackend(), fitted, one);
      expect(second.horizons[2]?.probability).to.be.closeTo(last ?? Number.NaN, 1e-5);
    });
  });

  it("has reasons that add up, and what would change it", async () => {
    await withShop(async ({ store, modelsFolder, send, read }) => {
      await smallIntentChampion(store, modelsFolder);
      for (let event = 0; event < 6; event++) {
        await send(300 - 10 * event);
      }
      const found = await read("/v1/customers/user_id/u1/intent?reasons=5");
      const { reasons } = found;
      const listed = reasons?.reasons ?? [];
      expect(listed).to.have.lengthOf(5);
      expect(listed.map(({ feature }) => feature)).to.include("moments_30m");
      const parts = [reasons?.base, reasons?.others, ...listed.map((one) => one.contribution)];
      const sum = parts.reduce<number>((total, part) => total + (part ?? Number.NaN), 0);
      expect(sum).to.be.closeTo(reasons?.logOdds ?? Number.NaN, 0.05);
      expect(1 / (1 + Math.exp(-(reasons?.logOdds ?? 0)))).to.be.closeTo(found.probability, 1e-9);
      expect(found.ifNothingHappens.map(({ hours }) => hours)).to.deep.equal([1, 24]);
      expect(found.ifNothingHappens[0]?.probability).to.be.lessThan(found.probability);
    });
  });

  it("says who is a bot, answers for several, and that there is no model yet", async () => {
    await withShop(async ({ app, store, modelsFolder, send, read }) => {
      await send(10);
      await request(app).get("/v1/customers/user_id/u1/intent").expect(503);
      await smallIntentChampion(store, modelsFolder);
      for (let event = 0; event < 100; event++) {
        await send(250 - 2 * event, "fast");
      }
      expect(await read("/v1/customers/user_id/fast/intent")).to.include({ isBot: true });
      const answer = await request(app).get("/v1/intent?ids=u1,nobody,fast").expect(200);
      expect(answer.body).to.deep.include({ unknown: ["nobody"] });
      const { data } = answer.body as { data: (Intent & { id: string })[] };
      expect(data.map(({ id, isBot }) => [id, isBot])).to.deep.equal([
        ["u1", false],
        ["fast", true],
      ]);
      await request(app).get("/v1/customers/user_id/nobody/intent").expect(404);
    });
  });

  it("takes lists with spaces and gaps, and refuses empty and long ones, and types that there are none of", async () => {
    await withShop(async ({ app, store, modelsFolder, send }) => {
      await smallIntentChampion(store, modelsFolder);
      await send(10);
      const found = await request(app).get("/v1/intent").query({ ids: " u1,, nobody ,u1" });
      const { data, unknown } = found.body as { data: { id: string }[]; unknown: string[] };
      expect([data.map(({ id }) => id), unknown]).to.deep.equal([["u1"], ["nobody"]]);
      const many = Array.from({ length: 201 }, (_, id) => id).join(",");
      for (const ids of ["", " , ", many, undefined]) {
        const refused = await request(app).get("/v1/intent").query({ ids }).expect(400);
        expect((refused.body as { detail: string }).detail).to.equal(
          "ids: expected 1 to 200 identifiers, apart by commas",
        );
      }
      const untyped = await request(app).get("/v1/intent?type=user&ids=u1").expect(404);
      expect((untyped.body as { detail: string }).detail).to.match(/nearest: user_id/);
    });
  });
});

async function listening(server: Server): Promise<AddressInfo> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return server.address() as AddressInfo;
}

describe("the stream of intent", function () {
  this.timeout(120_000);

  it("tells of a visitor once who rises across the threshold, and only of those who agreed", async () => {
    await withShop(async ({ app, store, modelsFolder, send, read }) => {
      await smallIntentChampion(store, modelsFolder);
      await send(900, "u1", true);
      await send(900, "silent");
      const before = (await read("/v1/customers/user_id/u1/intent")).probability;
      const server = createServer(app);
      const { port } = await listening(server);
      const stop = new AbortController();
      try {
        const answer = await fetch(
          `http://127.0.0.1:${port}/v1/intent/stream?threshold=${(before + 0.05).toFixed(3)}`,
          { signal: stop.signal },
        );
        expect(answer.headers.get("content-type")).to.include("text/event-stream");
        const reader = (answer.body ?? expect.fail("no body")).getReader();
        const text = async (): Promise<string> =>
          new TextDecoder().decode((await reader.read()).value as Uint8Array);
        expect(await text()).to.equal(": listening\n\n");
        for (let event = 0; event < 7; event++) {
          await send(300 - 10 * event, "silent");
          await send(300 - 10 * event, "u1");
        }
        const told = await text();
        const customer = (await request(app).get("/v1/customers/user_id/u1")).body as {
          id: number;
        };
        const found = JSON.parse(/^data: (.*)$/m.exec(told)?.[1] ?? "") as Record<string, unknown>;
        expect(found).to.include({ customerId: customer.id });
        expect(found["identifiers"]).to.deep.equal([{ type: "user_id", value: "u1" }]);
        expect(found["probability"]).to.be.greaterThan(before + 0.05);
        expect(told.match(/event: crossing/g)).to.have.lengthOf(1);
      } finally {
        stop.abort();
        server.closeAllConnections();
        server.close();
      }
    });
  });

  it("gives signs of life while nobody crosses, and ends them with the connection", async () => {
    await withShop(async ({ store, modelsFolder }) => {
      await smallIntentChampion(store, modelsFolder);
      const online = openOnlineStore(store);
      const intent = openLiveIntent({ store, clock, logger, online, modelsFolder });
      let beat = (): void => expect.fail("no sign of life was arranged");
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const every: Every = (_intervalMs, work) => {
        beat = work;
        return end;
      };
      const server = createServer(createApp({ store, clock, logger, online, intent, every }));
      const { port } = await listening(server);
      const stop = new AbortController();
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/v1/intent/stream?threshold=0.5`, {
          signal: stop.signal,
        });
        const reader = (answer.body ?? expect.fail("no body")).getReader();
        await reader.read();
        beat();
        const sign = (await reader.read()).value as Uint8Array;

        expect(new TextDecoder().decode(sign)).to.equal(": still listening\n\n");
        stop.abort();
        await ended;
      } finally {
        stop.abort();
        server.closeAllConnections();
        server.close();
      }
    });
  });

  it("is not ready before the first training", async () => {
    await withShop(async ({ app }) => {
      const answer = await request(app).get("/v1/intent/stream?threshold=0.5").expect(503);
      expect((answer.body as { detail: string }).detail).to.include(
        "herkoop train conversion-intent",
      );
    });
  });

  it("refuses a threshold that is none", async () => {
    await withShop(async ({ app }) => {
      await request(app).get("/v1/intent/stream?threshold=2").expect(400);
      await request(app).get("/v1/intent/stream").expect(400);
    });
  });
});
