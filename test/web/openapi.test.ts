import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { createWriteKey } from "../../src/collection/index.ts";
import { ENDPOINTS } from "../../src/web/app.ts";
import { addDuplicate } from "../support/identity.ts";
import { CALL, INTENT, SAMPLES, STREAMS } from "../support/samples.ts";
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
