import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { createWriteKey } from "../../src/collection/index.ts";
import type { LiveIntent } from "../../src/predictions/index.ts";
import { ENDPOINTS } from "../../src/web/app.ts";
import { addDuplicate } from "../support/identity.ts";
import { clock, withShopApi } from "../support/web.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Readonly<Record<string, { readonly content: object }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** An address of each endpoint that the test shop answers with 200. */
const SAMPLES: Readonly<Record<string, string>> = {
  "/v1/features/{name}": "/v1/features/pair_overdue_ratio",
  "/v1/customers/{type}/{id}": "/v1/customers/user_id/jan.jansen",
  "/v1/customers/{type}/{id}/predictions": "/v1/customers/user_id/jan.jansen/predictions",
  "/v1/customers/{type}/{id}/profile": "/v1/customers/user_id/jan.jansen/profile",
  "/v1/customers/{type}/{id}/features": "/v1/customers/user_id/jan.jansen/features",
  "/v1/customers/{type}/{id}/intent": "/v1/customers/user_id/jan.jansen/intent?reasons=1",
  "/v1/intent": "/v1/intent?ids=jan.jansen,nobody",
  "/v1/customers/{type}/{id}/changes": "/v1/customers/user_id/jan.jansen/changes",
  "/v1/duplicates/{id}": "/v1/duplicates/1",
  "/v1/duplicates/{id}/join": "/v1/duplicates/1/join",
  "/v1/duplicates/{id}/separate": "/v1/duplicates/1/separate",
  "/v1/audiences/{name}": "/v1/audiences/retargeting-pool?limit=2",
  "/v1/repurchase/{week}": "/v1/repurchase/2011-W50",
  "/v1/pruning/cut": "/v1/pruning/cut?budget=3",
  "/v1/sources/{source}": "/v1/sources/shop",
  "/v1/models/{model}/versions/{version}": "/v1/models/repurchase-week/versions/repurchase-v1",
};

/** Streams end when their reader does: test/web/intent.test.ts reads them. */
const STREAMS = ["/v1/intent/stream"];

const ANSWER = {
  modelVersion: "intent-v1",
  asOf: "2011-12-10T00:00:00Z",
  dataThrough: "2011-12-10T00:00:00Z",
  computedAt: "2011-12-10T06:00:00Z",
  system: "network",
  probability: 0.2,
  percentile: 0.9,
  horizons: [{ hours: 24, probability: 0.2 }],
  isBot: false,
};

/** What a model would say; test/web/intent.test.ts has a real one. */
const INTENT: LiveIntent = {
  answer: () => ANSWER,
  explain: () => ({ ...ANSWER, reasons: null, ifNothingHappens: [{ hours: 1, probability: 0.1 }] }),
  subscribe: () => () => undefined,
  take: () => undefined,
};

/** A call that every posting address accepts. */
const CALL = { userId: "u", event: "Cart Viewed", groupId: "g", previousId: "p", type: "track" };

describe("the OpenAPI document", () => {
  it("has every route of the app, and the app every path of it", async () => {
    await withShopApi(async ({ app, get }) => {
      const routes = app.router.stack.flatMap(({ route }) =>
        route === undefined
          ? []
          : route.stack.map(
              ({ method }) => `${method} ${route.path.replaceAll(/:(\w+)/g, "{$1}")}`,
            ),
      );
      const { openapi, paths } = (await get("/v1/openapi.json")).body as Document;
      const described = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
      );
      expect(openapi).to.equal("3.1.0");
      expect(routes).to.have.lengthOf(36);
      expect(described).to.have.members(routes);
    });
  });

  it("describes each parameter in its place, and problems everywhere", async () => {
    await withShopApi(async ({ get }) => {
      const { paths } = (await get("/v1/openapi.json")).body as Document;
      for (const [path, methods] of Object.entries(paths)) {
        const { parameters = [], responses } = Object.values(methods)[0] ?? expect.fail(path);
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const named = parameters.filter((one) => one.in === "path").map(({ name }) => name);
        expect(named, path).to.have.members(inPath);
        expect(Object.keys(responses), path).to.have.members(["200", "4XX", "5XX"]);
      }
      const audience = paths["/v1/audiences/{name}"]?.["get"];
      expect(
        audience?.parameters?.filter((one) => one.in === "query").map(({ name }) => name),
      ).to.deep.equal(["limit", "cursor", "product", "minimumProbability", "format"]);
      expect(Object.keys(audience?.responses["200"]?.content ?? {})).to.deep.equal([
        "application/json",
        "text/csv",
      ]);
      const ids = Object.values(paths).flatMap((methods) =>
        Object.values(methods).map(({ operationId }) => operationId),
      );
      expect(new Set(ids)).to.have.property("size", ids.length);
    });
  });

  it("is true: each answer is as its schema says, with nothing besides", async () => {
    await withShopApi(
      async ({ get, post, store }) => {
        const { key } = createWriteKey(store, clock, "webshop");
        addDuplicate(store);
        for (const { method, path, body } of ENDPOINTS.filter(
          (one) => !STREAMS.includes(one.path),
        )) {
          const answer = await (method === "get"
            ? get(SAMPLES[path] ?? path)
            : post(SAMPLES[path] ?? path, key, { ...CALL, batch: [CALL] }));
          expect(answer.status, path).to.equal(200);
          const parsed = body.safeParse(answer.body);
          expect(parsed.error?.issues, path).to.equal(undefined);
        }
      },
      { intent: INTENT },
    );
  });
});

describe("the server", () => {
  it("loads no tensor library", () => {
    const code = `
      import { createRequire } from "node:module";
      const { createApp } = await import("./src/web/index.ts");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      process.stdout.write(JSON.stringify({
        isApp: typeof createApp === "function",
        driver: loaded.some((file) => file.includes("better-sqlite3")),
        tensors: loaded.filter((file) => file.includes("@tensorflow")),
      }));`;
    const output = execFileSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", code],
      { encoding: "utf8" },
    );
    expect(JSON.parse(output)).to.deep.equal({ isApp: true, driver: true, tensors: [] });
  });
});
