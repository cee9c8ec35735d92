import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { createWriteKey, type WriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { untilSaid } from "../support/command.ts";
import { inFolder } from "../support/temporary.ts";

const CHILD = join(import.meta.dirname, "..", "support", "busy-child.ts");

interface Serving {
  readonly service: Service;
  readonly post: (messageId: string) => Promise<Response>;
  readonly get: (address: string) => Promise<Response>;
  /** Lets another process hold the write lock until the returned function is called. */
  readonly lock: () => Promise<() => Promise<void>>;
}

async function whileServing(work: (serving: Serving) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = join(folder, "store");
    const config = { ...readConfig({ store }), logLevel: "silent" };
    const service = await openService(config, { quiet: true });
    const { key }: WriteKey & { key: string } = createWriteKey(service.store, service.clock, "web");
    const server = await startServer(service, "127.0.0.1", 0, () => () => undefined);
    const children: ChildProcess[] = [];
    try {
      await work({
        service,
        post: (messageId) => {
          const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
          const body = JSON.stringify({ messageId, userId: "jan", event: "Product Viewed" });
          return fetch(`${server.url}/v1/track`, {
            method: "POST",
            headers: { authorization },
            body,
          });
        },
        get: (address) => fetch(`${server.url}${address}`),
        lock: async () => {
          const child = spawn(process.execPath, ["--import", "tsx", CHILD, store], {
            stdio: ["pipe", "pipe", "inherit"],
          });
          children.push(child);
          await untilSaid(child, "held");
          return async () => {
            const released = untilSaid(child, "released");
            child.stdin.write("go\n");
            await released;
          };
        },
      });
    } finally {
      for (const child of children) {
        child.kill("SIGKILL");
      }
      await server.close();
      service.close();
    }
  });
}

function waiting(service: Service): string[] {
  return service.store.sqlite
    .prepare<[], string>("SELECT message_id FROM inbox ORDER BY sequence")
    .pluck()
    .all();
}

describe("a server while another process writes", function () {
  this.timeout(120_000);

  it("answers 503 and when to come back, reads meanwhile, and takes the same message once", async () => {
    await whileServing(async ({ service, post, get, lock }) => {
      expect((await post("before")).status).to.equal(200);
      const release = await lock();
      const refused = post("m1");
      const features = await get("/v1/customers/user_id/jan/features");
      const health = await get("/v1/health");
      expect([features.status, health.status]).to.deep.equal([404, 200]);
      const answer = await refused;
      expect(answer.status).to.equal(503);
      expect(answer.headers.get("retry-after")).to.equal("1");
      expect(await answer.json()).to.include({ type: "urn:herkoop:problem:busy", status: 503 });
      const waits = Promise.all([post("m1"), post("m2"), post("m1")]);
      await release();
      expect((await waits).map(({ status }) => status)).to.deep.equal([200, 200, 200]);
      expect(waiting(service)).to.deep.equal(["before", "m1", "m2"]);
      expect((await post("m1")).status).to.equal(200);
      expect((await get("/v1/customers/user_id/jan/features")).status).to.not.equal(404);
      expect(waiting(service)).to.have.length(3);
    });
  });

  it("gives nobody a fault for what it could not write", async () => {
    await whileServing(async ({ service, lock, get }) => {
      const release = await lock();
      const statuses = await Promise.all(
        ["/v1/customers", "/v1/duplicates", "/v1/audiences", "/v1/quality"].map(
          async (address) => (await get(address)).status,
        ),
      );
      expect(statuses.filter((status) => status === 500)).to.deep.equal([]);
      await release();
      expect(service.store.sqlite.pragma("busy_timeout", { simple: true })).to.equal(0);
    });
  });
});
