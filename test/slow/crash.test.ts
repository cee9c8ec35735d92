import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, seededRandom } from "../../src/base/index.ts";
import { sealInbox } from "../../src/collection/index.ts";
import { linesByMessage } from "../support/live.ts";
import { inFolder } from "../support/temporary.ts";

const CHILD = join(import.meta.dirname, "..", "support", "collect-child.ts");

/** Runs the child until it has acknowledged so many messages, kills it, and returns all it said. */
async function killAfter(folder: string, round: number, messages: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, folder, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  let lines = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    lines += text.split("\n").length - 1;
    if (lines >= messages) {
      child.kill("SIGKILL");
    }
  });
  await once(child, "close");
  // The last line may be half a line.
  return said.split("\n").slice(0, -1);
}

describe("collection, killed", () => {
  it("loses no acknowledged message and doubles none, at 30 random instants", async function () {
    this.timeout(240_000);
    await inFolder(async (folder) => {
      const random = seededRandom(11);
      const acknowledged = new Set<string>();
      let seals = 0;
      for (let round = 0; round < 30; round++) {
        for (const line of await killAfter(folder, round, 10 + random.below(1500))) {
          if (line === "sealed") {
            seals++;
          } else {
            acknowledged.add(line);
          }
        }
      }
      const store = await openStore(folder);
      try {
        const before = await linesByMessage(store);
        await sealInbox(store);
        const counts = await linesByMessage(store);
        expect(counts).to.deep.equal(before);
        expect(seals).to.be.greaterThan(10);
        expect([...acknowledged].filter((id) => counts.get(id) !== 2)).to.deep.equal([]);
        expect([...counts.values()].filter((lines) => lines !== 2)).to.deep.equal([]);
        const known = store.sqlite.prepare("SELECT count(*) FROM message").pluck().get();
        expect(counts.size).to.equal(known);
      } finally {
        store.close();
      }
    });
  });
});
