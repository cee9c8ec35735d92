import { writeSync } from "node:fs";
import { createCollector, createWriteKey, sealInbox } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { asWriter, openService } from "../../src/service.ts";
import { orderCall } from "./live.ts";

/**
 * Collects and seals side by side until it is killed; each batch repeats half of the one before. Each
 * acknowledged message id is a line on standard output, each seal `sealed`.
 */
const [folder = "", round = ""] = process.argv.slice(2);
const service = await openService(readConfig({ store: folder }), { quiet: true });
const { store, clock } = service;
createWriteKey(store, clock, "webshop");
const collector = createCollector(store, clock);

async function collect(): Promise<never> {
  for (let batch = 0; ; batch++) {
    const ids = Array.from({ length: 10 }, (_, index) => `${round}-${5 * batch + index}`);
    const calls = ids.map((id) => orderCall(id));
    const results = await collector.collect({ source: "webshop", calls });
    writeSync(1, results.map(({ messageId }) => `${messageId ?? ""}\n`).join(""));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function seal(): Promise<never> {
  for (;;) {
    await asWriter(service, () => sealInbox(store, 400));
    writeSync(1, "sealed\n");
  }
}

await Promise.all([collect(), seal()]);
