import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openService } from "../../src/service.ts";
import { inFolder } from "../support/temporary.ts";

describe("a server that closes", () => {
  it("answers what is under way, and waits for no kept connection", async () => {
    await inFolder(async (folder) => {
      const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
      const service = await openService(config, { quiet: true });
      const agent = new Agent({ keepAlive: true });
      try {
        const { key } = createWriteKey(service.store, service.clock, "web");
        const server = await startServer(service, "127.0.0.1", 0, () => () => undefined);
        const body = JSON.stringify({ anonymousId: "v" });
        const sent = request(`${server.url}/v1/page`, {
          method: "POST",
          agent,
          auth: `${key}:`,
          headers: { "Content-Length": body.length, Expect: "100-continue" },
        });
        sent.flushHeaders();
        await once(sent, "continue");
        const closing = server.close();
        const answered = once(sent, "response");
        sent.end(body);
        const [answer] = (await answered) as [{ statusCode: number; resume(): void }];
        answer.resume();
        expect(answer.statusCode).to.equal(200);
        await closing;
        expect(service.store.sqlite.prepare("SELECT count(*) FROM message").pluck().get()).to.equal(
          1,
        );
      } finally {
        agent.destroy();
        service.close();
      }
    });
  });
});
