import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError, type Store } from "../../src/base/index.ts";
import {
  knownDamage,
  namingDamage,
  openSlowVerification,
  verifyHistory,
} from "../../src/collection/index.ts";
import { historyRows } from "../support/live.ts";
import { importLines } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

async function withHistory(
  work: (store: Store, files: readonly string[]) => Promise<void>,
): Promise<void> {
  await withStore(async (store, folder) => {
    await importLines(store, folder, [{ user: "u1", order: "o1", at: "2024-01-01T10:00:00Z" }]);
    await importLines(
      store,
      folder,
      [{ user: "u2", order: "o2", at: "2024-01-02T10:00:00Z" }],
      undefined,
      "more.csv",
    );
    await work(store, readdirSync(store.path("history")).sort());
  });
}

/** Changes a file in every way that a disk may; each must be told. */
const DAMAGE: readonly (readonly [what: string, how: (file: string) => void, said: RegExp])[] = [
  [
    "flipped",
    (file) => {
      const bytes = readFileSync(file);
      bytes[80] = (bytes[80] ?? 0) ^ 4;
      writeFileSync(file, bytes);
    },
    /its bytes have changed/,
  ],
  [
    "cut",
    (file) => {
      truncateSync(file, 200);
    },
    /it has 200 bytes instead of \d+/,
  ],
  [
    "lost",
    (file) => {
      rmSync(file);
    },
    /it is missing/,
  ],
];

describe("verification of the history", () => {
  it("finds every file whole, and takes checksums of files of before", async () => {
    await withHistory(async (store) => {
      expect(await verifyHistory(store)).to.deep.equal({
        ...{ filesVerified: 2, checksumsTaken: 0, damaged: [] },
      });
      store.sqlite.exec("UPDATE history_file SET sha256 = NULL, byte_count = NULL");
      expect(await verifyHistory(store)).to.include({ checksumsTaken: 2 });
      expect(await verifyHistory(store)).to.include({ checksumsTaken: 0 });
    });
  });

  for (const [what, damage, said] of DAMAGE) {
    it(`names a file that is ${what}, and nothing is told from it until it is back`, async () => {
      await withHistory(async (store, [name = ""]) => {
        const file = join(store.path("history"), name);
        const whole = readFileSync(file);
        damage(file);
        const { damaged } = await verifyHistory(store);
        expect(damaged.map((one) => one.file)).to.deep.equal([`history/${name}`]);
        expect(damaged[0]?.damage).to.match(said);
        const refusal = await historyRows(store, "SELECT * FROM history").catch(
          (error: unknown) => error,
        );
        expect(refusal).to.be.instanceOf(ServiceError).and.to.include({ code: "damaged" });
        expect((refusal as Error).message)
          .to.include(name)
          .and.not.include(store.folder);
        writeFileSync(file, whole);
        expect((await verifyHistory(store)).damaged).to.deep.equal([]);
        expect(await historyRows(store, "SELECT * FROM history")).to.have.lengthOf(2);
      });
    });
  }

  it("goes a file a turn, round and round", async () => {
    await withHistory(async (store, files) => {
      const next = openSlowVerification(store);
      truncateSync(join(store.path("history"), files[1] ?? ""), 100);
      expect(await next()).to.deep.equal([]);
      expect((await next()).map(({ file }) => file)).to.deep.equal([`history/${files[1] ?? ""}`]);
      await next();
      expect(knownDamage(store)).to.have.lengthOf(1);
    });
  });

  it("follows a failed read, so that the error names the file", async () => {
    await withHistory(async (store, [name = ""]) => {
      truncateSync(join(store.path("history"), name), 100);
      const failed = await namingDamage(store, () =>
        historyRows(store, "SELECT * FROM history"),
      ).catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(ServiceError).and.to.include({ code: "damaged" });
      expect((failed as Error).message).to.match(/is damaged: it has 100 bytes instead of/);
      expect(existsSync(join(store.path("history"), name))).to.equal(true);
    });
  });
});
