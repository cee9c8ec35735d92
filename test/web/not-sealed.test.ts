import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import { acquireWriterLock, nextTurn } from "../../src/base/index.ts";
import { readConfig } from "../../src/config.ts";
import { watchSealing } from "../../src/seal-watch.ts";
import { startServer } from "../../src/server.ts";
import { openService } from "../../src/service.ts";
import { settableClock } from "../support/stream.ts";
import { inFolder } from "../support/temporary.ts";

const MINUTE_MS = 60_000;
const NOON = Date.parse("2024-05-02T12:00:00Z");

interface Health {
  readonly status: string;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

describe("a server that cannot seal", function () {
  this.timeout(60_000);

  it("tells of it after ten minutes, in health and in the log, with who holds the lock and for what", async () => {
    await inFolder(async (folder) => {
      const config = readConfig({ store: join(folder, "store") });
      const opened = await openService(config, { quiet: true });
      const clock = settableClock(NOON);
      const errors: string[] = [];
      const logger = pino({ level: "error" }, { write: (line) => void errors.push(line) });
      let tick = (): void => undefined;
      try {
        const server = await startServer(
          { ...opened, clock, logger },
          "127.0.0.1",
          0,
          (intervalMs, work) => {
            tick = intervalMs === MINUTE_MS ? work : tick;
            return () => undefined;
          },
        );
        const health = async (): Promise<Health> =>
          (await (await fetch(`${server.url}/v1/health`)).json()) as Health;
        const sealAt = async (
          minutes: number,
          isDone: (said: Health) => boolean,
        ): Promise<Health> => {
          clock.set(NOON + minutes * MINUTE_MS);
          tick();
          let said = await health();
          while (!isDone(said)) {
            await nextTurn();
            said = await health();
          }
          return said;
        };
        const release = acquireWriterLock(opened.store, "import orders.csv", clock);
        const early = await sealAt(9, () => true);
        expect(early.problems).to.deep.equal([]);
        const late = await sealAt(10, ({ problems }) => problems.length > 0);
        expect(late.status).to.equal("degraded");
        expect(late.problems[0]?.code).to.equal("not-sealed");
        expect(late.problems[0]?.message).to.match(
          /^no event has moved from the inbox to the history since 2024-05-02T12:00:00Z: "herkoop import orders.csv" on host .* has been writing to this store since 2024-05-02T12:00:00Z/,
        );
        expect(errors).to.have.length(1);
        expect(errors[0]).to.include("not sealed for ten minutes");
        await sealAt(11, () => true);
        expect(errors).to.have.length(1);
        release();
        const again = await sealAt(12, ({ problems }) => problems.length === 0);
        expect(again.status).to.equal("preparing");
        await server.close();
      } finally {
        opened.close();
      }
    });
  });

  it("counts an attempt that does not end, shows no reason before it knows one, and begins again after a success", () => {
    const clock = settableClock(NOON);
    const reported = new Map<string, string>();
    const watch = watchSealing(clock, pino({ level: "silent" }), {
      report: (code, message) => void reported.set(code, message),
      clear: (code) => void reported.delete(code),
      list: () => [],
    });
    clock.set(NOON + 10 * MINUTE_MS);
    watch.check();
    expect(reported.get("not-sealed")).to.include("one attempt has been running since then");
    watch.fail("it fails");
    expect(reported.get("not-sealed")).to.match(/12:00:00Z: it fails$/);
    watch.succeed();
    clock.set(NOON + 19 * MINUTE_MS);
    watch.fail("it fails");
    expect([...reported]).to.deep.equal([]);
  });
});
