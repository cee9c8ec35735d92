import { join } from "node:path";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { findCustomer } from "../../src/customers/index.ts";
import { killAll, runHerkoop, type Serving, serveStore } from "../support/processes.ts";
import { createSender, expectAllOnce } from "../support/senders.ts";
import { inFolder } from "../support/temporary.ts";

async function moveClock(server: Serving, days: number): Promise<void> {
  server.child.kill("SIGUSR2");
  await server.until(`clock moved to day ${days}\n`);
}

/** Orders without an instant of their own, which so happened when they came; some state a consent. */
function says(isGranted: boolean): () => object {
  return () => ({
    timestamp: undefined,
    context: { consent: { categoryPreferences: { Advertising: isGranted } } },
  });
}

describe("a clock that is set", function () {
  this.timeout(180_000);
  afterEach(killAll);

  it("back three days and forward again loses no event, and a denial after a grant holds", async () => {
    await inFolder(async (root) => {
      const folder = join(root, "store");
      const store = await openStore(folder);
      const { key } = createWriteKey(store, systemClock, "webshop");
      store.close();
      const server = await serveStore(folder, "moved-clock");
      const { url } = server;
      const granted = createSender(key, "granted", says(true));
      const denied = createSender(key, "denied", says(false));
      const silent = createSender(key, "silent", () => ({ timestamp: undefined }));
      for (let batch = 0; batch < 20; batch++) {
        expect(await granted.send(url)).to.equal(200);
      }
      await moveClock(server, -3);
      for (let batch = 0; batch < 20; batch++) {
        expect(await denied.send(url)).to.equal(200);
      }
      await moveClock(server, 3);
      for (let batch = 0; batch < 20; batch++) {
        expect(await silent.send(url)).to.equal(200);
      }
      await moveClock(server, 40);
      for (let batch = 0; batch < 20; batch++) {
        expect(await silent.send(url)).to.equal(200);
      }
      const { status } = await fetch(`${url}/v1/customers/user_id/user-1`);
      expect(status).to.equal(200);
      server.child.kill("SIGTERM");
      expect(await server.end(), server.complained()).to.equal(0);
      const sealed = await runHerkoop(folder, ["seal"]);
      expect(sealed.code, sealed.stderr).to.equal(0);
      const kept = await runHerkoop(folder, ["retention", "run"]);
      expect(kept.code, kept.stderr).to.equal(0);
      const senders = [granted, denied, silent];
      await expectAllOnce(
        folder,
        senders.flatMap(({ acknowledged }) => [...acknowledged]),
      );
      await expectDenied(folder);
    });
  });
});

async function expectDenied(folder: string): Promise<void> {
  const store = await openStore(folder);
  try {
    const { id } = findCustomer(store, { type: "user_id", value: "user-1" });
    const status = store.sqlite
      .prepare("SELECT status FROM consent WHERE customer_id = ? AND purpose = 'advertising'")
      .pluck()
      .get(id);
    expect(status, "consent to advertising").to.equal("denied");
  } finally {
    store.close();
  }
}
