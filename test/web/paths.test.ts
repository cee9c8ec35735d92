import { join } from "node:path";
import { expect } from "chai";
import request from "supertest";
import { createWriteKey } from "../../src/collection/index.ts";
import { loadArtifact } from "../../src/models/artifact.ts";
import type { LiveIntent } from "../../src/predictions/index.ts";
import { ENDPOINTS } from "../../src/web/app.ts";
import { addDuplicate } from "../support/identity.ts";
import { CALL, INTENT, SAMPLES, STREAMS } from "../support/samples.ts";
import { withStore } from "../support/temporary.ts";
import { apiOver, clock, fillShop, type TestApi } from "../support/web.ts";

type Ask = (agent: ReturnType<typeof request>, address: string, key: string) => request.Test;

/** Ways to ask for an address, right and wrong. */
const WAYS: readonly Ask[] = [
  (agent, address) => agent.get(address),
  (agent, address) => agent.get(`${address.split("?")[0]}?nonsense=1`),
  (agent, address) => agent.get(address.replace(/[^/]+$/, "nobody")),
  (agent, address) => agent.get(address).set("Accept", "text/csv"),
  (agent, address) => agent.get(address).set("Host", "evil.example"),
  (agent, address) => agent.get(address).set("Origin", "https://evil.example"),
  (agent, address) => agent.delete(address),
  (agent, address) => agent.post(address).send("{}"),
  (agent, address, key) => agent.post(address).auth(key, "").send("{"),
  (agent, address, key) =>
    agent
      .post(address)
      .auth(key, "")
      .send({ ...CALL, batch: [CALL] }),
];

/** A CSV answer that fails on its way breaks off: status 0. */
async function answerOf(asked: request.Test): Promise<{ status: number; told: string }> {
  try {
    const { status, text, headers } = await asked;
    return { status, told: `${text} ${JSON.stringify(headers)}` };
  } catch (error) {
    expect(error).to.have.property("code", "ECONNRESET");
    return { status: 0, told: "" };
  }
}

/** Asks every address in every way, and returns how often each status came. */
async function askAll({ app, store }: TestApi, key: string): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  for (const { path } of ENDPOINTS.filter((one) => !STREAMS.includes(one.path))) {
    for (const way of WAYS) {
      const address = SAMPLES[path] ?? path;
      const { status, told } = await answerOf(way(request(app), address, key));
      expect(told, address).not.to.include(store.folder);
      expect(told, address).not.to.match(/herkoop-test-|node_modules|\.sqlite|\.ts:\d/);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }
  return statuses;
}

describe("an answer", () => {
  it("never names a path of the server, whatever is asked and whatever fails", async () => {
    await withStore(async (store) => {
      await fillShop(store);
      addDuplicate(store);
      const { key } = createWriteKey(store, clock, "webshop");
      store.sqlite.exec(
        `UPDATE import_run SET rejects_file = '${store.folder}/rejects/run.csv', file = '${store.folder}/in.csv';
         UPDATE model_version SET folder = '${store.folder}/models/m'`,
      );
      const fine = await askAll(apiOver(store, { intent: INTENT }), key);
      expect([...fine.keys()]).to.include.members([200, 400, 401, 403, 404, 405, 421]);
      const failing = (): never => {
        loadArtifact(join(store.folder, "models"), "conversion-intent", "gone");
        return expect.fail("there is no such version");
      };
      const gone: LiveIntent = { ...INTENT, answer: failing, explain: failing };
      const broken = apiOver(store, { intent: gone });
      const { status, body } = await broken.get("/v1/customers/user_id/jan.jansen/intent");
      expect(status).to.be.oneOf([404, 503]);
      expect((body as { detail: string }).detail).to.include("version gone");
      await askAll(broken, key);
      store.sqlite.exec("DROP TABLE audience_member; DROP TABLE write_key");
      const dropped = await askAll(broken, key);
      expect([...dropped.keys()]).to.include(500);
      store.close();
      const closed = await askAll(broken, key);
      expect([...closed.keys()]).to.include(500);
    });
  });
});
