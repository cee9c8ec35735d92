import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { fixedClock, type Store } from "../../src/base/index.ts";
import { type ImportReport, importFile, parseMapping } from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { historyRows } from "../support/history.ts";
import { withStore } from "../support/temporary.ts";

const fields = (by: object): object => ({
  ...by,
  traits: { city: "city" },
  consent: { advertising: { column: "news" } },
});
const CRM = { source: "crm", type: "identify" };
const BY_NUMBER = fields({ identifiers: { crm_id: "nr", email: "mail" } });

/** A shop's CRM, of which an export comes in every day. */
function crm(
  store: Store,
  folder: string,
  changes: object = { fields: BY_NUMBER },
): (rows: readonly string[], more?: object, ending?: string) => Promise<ImportReport> {
  let day = 0;
  return async (rows, more = {}, ending = "") => {
    day++;
    const clock = fixedClock(new Date(Date.UTC(2024, 0, day)).toISOString());
    const text = ["nr,mail,city,news,at", ...rows, ""].join("\n");
    const file = join(folder, `crm-${day}.csv${ending}`);
    writeFileSync(file, ending === ".gz" ? gzipSync(text) : text);
    const report = await importFile(store, clock, {
      file,
      mapping: parseMapping({ ...CRM, ...changes, ...more }),
      format: "csv",
    });
    return report;
  };
}

function statements(store: Store): unknown[] {
  return store.sqlite
    .prepare("SELECT status FROM consent WHERE purpose = 'advertising' ORDER BY recorded_at")
    .pluck()
    .all();
}

const A = "7,jan@example.nl,Gouda,no,";
const B = "7,jan@work.example,Gouda,yes,";
const C = "8,eva@example.nl,Delft,yes,";

describe("collection/import: CRM rows without a time", () => {
  it("says again what was said before something else was, whoever says whom it is about", async () => {
    for (const by of [
      { identifiers: { crm_id: "nr", email: "mail" } },
      { userId: "nr" },
      { anonymousId: "nr" },
    ]) {
      await withStore(async (store, folder) => {
        const take = crm(store, folder, { fields: fields(by) });
        const accepted: number[] = [];
        for (const rows of [
          [A, C],
          [B, C],
          [A, C],
          [A, C],
        ]) {
          const report = await take(rows);
          expect(report.rowsChanged).to.equal(0);
          accepted.push(report.rowsAccepted);
        }
        expect(accepted, JSON.stringify(by)).to.deep.equal([2, 1, 1, 0]);
        const said = await historyRows(store, "consent LIKE '%false%'");
        expect(new Set(said.map((row) => row["message_id"])).size).to.equal(2);
        expect(said.at(-1)?.["occurred_at_ms"]).to.equal(Date.UTC(2024, 0, 3));
      });
    }
  });

  it("brings a renewed opt-out to the customer", async () => {
    await withStore(async (store, folder) => {
      const take = crm(store, folder);
      await take([A]);
      await take([B]);
      await take([A]);
      await resolveCustomers(store, fixedClock("2024-02-01T00:00:00Z"));
      expect(statements(store).at(-1)).to.equal("denied");
    });
  });

  it("knows unchanged rows in another format and in a longer export, and changed ones in none", async () => {
    await withStore(async (store, folder) => {
      const take = crm(store, folder);
      await take([A, C]);
      const copy = await take([A, C], {}, ".gz");
      expect(copy).to.include({ rowsAccepted: 0, rowsDuplicate: 2, rowsChanged: 0 });
      const longer = await take([A, C, "9,new@example.nl,Breda,yes,"]);
      expect(longer).to.include({ rowsAccepted: 1, rowsDuplicate: 2, rowsChanged: 0 });
    });
  });

  it("takes several rows of one person together", async () => {
    await withStore(async (store, folder) => {
      const take = crm(store, folder, {
        fields: fields({ identifiers: { phone: "nr" } }),
        region: "NL",
      });
      const [one, two, moved] = ["Gouda", "Delft", "Breda"].map(
        (city) => `0612345678,,${city},yes,`,
      );
      const accepted: number[] = [];
      for (const rows of [
        [one, two],
        [two, one],
        [moved, two],
        [moved, two],
        [one, two],
      ]) {
        accepted.push((await take(rows.map(String))).rowsAccepted);
      }
      expect(accepted).to.deep.equal([2, 0, 2, 0, 2]);
    });
  });

  it("compares with rows that say the same kind of thing, and with the time of knowing", async () => {
    await withStore(async (store, folder) => {
      const take = crm(store, folder);
      const other = { fields: { identifiers: { crm_id: "nr" }, traits: { mail: "mail" } } };
      await take([A]);
      await take([A], other);
      expect((await take([A, C])).rowsAccepted, "another kind between").to.equal(1);
      const dated = { knownAt: { column: "at", zone: "UTC" }, source: "dated" };
      const [first, second, third] = [A, B, A].map((row, day) => `${row}2024-01-0${day + 1}`);
      expect((await take([first, second, third].map(String), dated)).rowsAccepted).to.equal(3);
      const again = await take([first, second, third, `${C}2024-01-01`].map(String), dated);
      expect(again).to.include({ rowsAccepted: 1, rowsDuplicate: 3, rowsChanged: 0 });
      expect((await take([`${A}2024-01-09`], dated)).rowsAccepted).to.equal(0);
    });
  });
});
