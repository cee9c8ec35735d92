import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { literal, ServiceError, type Store } from "../../src/base/index.ts";
import {
  compactHistory,
  historyFiles,
  type ImportReport,
  importFile,
  type Mapping,
  parseMapping,
  readMapping,
} from "../../src/collection/index.ts";
import { segmentMapping } from "../../src/collection/mapping.ts";
import { historyRows } from "../support/history.ts";
import { shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

async function importText(
  store: Store,
  folder: string,
  name: string,
  lines: readonly string[],
  mapping: Mapping,
): Promise<ImportReport> {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return importFile(store, shopClock, { file, mapping });
}

const MAIL = parseMapping({
  source: "mail",
  event: {
    column: "what",
    names: { sent: "Email Sent", open: "Email Opened", click: "Email Link Clicked" },
  },
  knownAt: "occurredAt",
  fields: {
    occurredAt: { column: "at" },
    campaign: "campaign",
    identifiers: { email: "to" },
  },
});

describe("collection/import: channels", () => {
  it("e-mail, chat and calls have the channel that their name says; ads cost something", async () => {
    await withStore(async (store, folder) => {
      const mail = await importText(
        store,
        folder,
        "mail.csv",
        [
          "what,at,campaign,to",
          "sent,2024-01-01T10:00:00Z,spring,Jan@Example.nl",
          "sent,2024-01-01T10:00:00Z,spring,Piet@Example.nl",
          "open,2024-01-01T11:00:00Z,spring,jan@example.nl",
          "forwarded,2024-01-01T12:00:00Z,spring,jan@example.nl",
        ],
        MAIL,
      );
      expect(mail.channels).to.deep.equal({ email: 3, "(none)": 1 });
      expect(mail.unknownEvents).to.deep.equal({ forwarded: 1 });
      expect(mail.identifiers).to.deep.equal({ email: 4 });
      const ads = await importText(
        store,
        folder,
        "ads.csv",
        [
          "what,day,campaign,spent,gclid",
          "shown,2024-01-01,brand,0.01,",
          "shown,2024-01-01,generic,0.02,",
          "clicked,2024-01-01,brand,1.5,G1",
          "clicked,2024-01-01,brand,free,G2",
        ],
        parseMapping({
          source: "ads",
          event: { column: "what", names: { shown: "Ad Impression", clicked: "Ad Clicked" } },
          fields: {
            occurredAt: { column: "day", zone: "UTC" },
            campaign: "campaign",
            cost: "spent",
            currency: { value: "EUR" },
            identifiers: { gclid: "gclid" },
          },
        }),
      );
      expect(ads).to.include({ rowsAccepted: 3, rowsRejected: 1 });
      expect(ads.rejectReasons).to.deep.equal({ "cost: expected a number": 1 });
      expect(ads.missingIdentifiers).to.deep.equal({ "Ad Impression": 2 });
      expect(
        (await historyRows(store, "source = 'ads'"))
          .map((row) => [row["channel"], row["campaign"], row["cost"], row["currency"]])
          .sort(),
      ).to.deep.equal([
        ["ad", "brand", 0.01, "EUR"],
        ["ad", "brand", 1.5, "EUR"],
        ["ad", "generic", 0.02, "EUR"],
      ]);
      const counts = store.sqlite
        .prepare<[], { kind: string; name: string; count: number }>(
          `SELECT kind, name, count FROM import_count JOIN import_run ON import_run.id = import_run_id
           WHERE source = 'ads' ORDER BY kind, name`,
        )
        .all()
        .map(({ kind, name, count }) => `${kind} ${name} ${count}`);
      expect(counts).to.deep.equal([
        "channel ad 3",
        "event Ad Clicked 1",
        "event Ad Impression 2",
        "identifier gclid 1",
        "late later 3",
        "missing_identifier Ad Impression 2",
        "reject cost: expected a number 1",
      ]);
    });
  });

  it("tells people apart who did the same in the same second, over several files", async () => {
    await withStore(async (store, folder) => {
      const row = (to: string): string[] => [
        "what,at,campaign,to",
        `open,2024-01-01T11:00:00Z,spring,${to}`,
      ];
      await importText(store, folder, "a.csv", row("a@example.com"), MAIL);
      const other = await importText(store, folder, "b.csv", row("b@example.com"), MAIL);
      const again = await importText(store, folder, "c.csv", [...row("a@example.com"), ""], MAIL);
      expect([other.rowsAccepted, again.rowsDuplicate]).to.deep.equal([1, 1]);
    });
  });

  it("keeps the identifiers of more people than are read at a time", async () => {
    const mapping = parseMapping({
      source: "crm",
      type: "identify",
      fields: { identifiers: { email: "mail" } },
    });
    const rows = Array.from({ length: 60_000 }, (_, index) => `P${index}@Example.com`);
    await withStore(async (store, folder) => {
      const report = await importText(store, folder, "crm.csv", ["mail", ...rows], mapping);
      expect(report.identifiers).to.deep.equal({ email: rows.length });
      const [found] = await historyRows(store, `identifiers = '[["email","p59999@example.com"]]'`);
      expect(found).to.include({ type: "identify" });
    });
  });

  it("says the category of each line and the kind of device, also beside files of before", async () => {
    const mapping = parseMapping({
      source: "kassa",
      event: [{ name: "Order Completed" }],
      knownAt: "occurredAt",
      lines: "items",
      fields: {
        messageId: "no",
        occurredAt: { column: "at" },
        productId: "items[].sku",
        category: { column: ["items[].group", "group"], missing: ["-"] },
        device: "on",
      },
    });
    const order = (no: string, on: string): string =>
      JSON.stringify({
        ...{ no, on, at: `2024-01-0${no}T10:00:00Z`, group: "All" },
        items: [{ sku: "A", group: "Soap" }, { sku: "B", group: "-" }, { sku: "C" }],
      });
    await withStore(async (store, folder) => {
      await importText(store, folder, "old.jsonl", [order("1", "tablet")], mapping);
      const [name = ""] = historyFiles(store);
      const file = literal(join(store.path("history"), name));
      const duckdb = await store.openDuckDb();
      await duckdb.run(`CREATE TABLE old AS SELECT * EXCLUDE (category, device) FROM ${file}`);
      await duckdb.run(`COPY old TO ${file} (FORMAT parquet)`);
      duckdb.close();
      const told = async (): Promise<unknown[]> =>
        (await historyRows(store)).map((row) => [row["category"], row["device"]]);
      const before = [
        [null, null],
        [null, null],
        [null, null],
      ];
      expect(await told()).to.deep.equal(before);
      await importText(store, folder, "2.jsonl", [order("2", "Smartphone")], mapping);
      await importText(store, folder, "3.jsonl", [order("3", "smart tv")], mapping);
      const both = [
        ...before,
        ...[
          ["Soap", "mobile"],
          ["All", "mobile"],
          ["All", "mobile"],
        ],
        ...[
          ["Soap", null],
          ["All", null],
          ["All", null],
        ],
      ];
      expect(await told()).to.deep.equal(both);
      const limits = { filesMin: 3, fullBytes: 2 ** 30, filesMax: 10 };
      await compactHistory(store, { limits });
      expect(historyFiles(store)).to.have.lengthOf(1);
      expect(await told()).to.deep.equal(both);
    });
  });

  it("reads numbers with a decimal comma, of a whole file or of one column", async () => {
    const base = {
      source: "kassa",
      event: [{ when: { column: "prijs", greaterThan: 1000 }, name: "Dear" }, { name: "Cheap" }],
      knownAt: "occurredAt",
    };
    const fields = { occurredAt: { column: "at", zone: "UTC" }, quantity: "n", cost: "c" };
    const rows = ["1.234,56", "1,01", "-12", "1.5", "1.234.567,8", ",5", "12,3,4", "1,234.56"].map(
      (price, index) => `2024-01-05 10:00:0${index};2;${price};0,5`,
    );
    const lines = ["at;n;prijs;c", ...rows];
    await withStore(async (store, folder) => {
      const whole = parseMapping({
        ...base,
        decimal: ",",
        fields: { ...fields, price: "prijs" },
      });
      const report = await importText(store, folder, "kassa.csv", lines, whole);
      expect(report).to.include({ rowsAccepted: 5, rowsRejected: 3 });
      const found = await historyRows(store);
      expect(found.map((row) => [row["price"], row["event"]])).to.deep.equal([
        [1234.56, "Dear"],
        [1.01, "Cheap"],
        [-12, "Cheap"],
        [1234567.8, "Dear"],
        [0.5, "Cheap"],
      ]);
      expect(found.every((row) => row["cost"] === 0.5 && row["quantity"] === 2)).to.equal(true);
      const one = parseMapping({
        ...base,
        source: "one",
        fields: {
          occurredAt: fields.occurredAt,
          price: { column: "prijs", decimal: "," },
        },
      });
      const single = await importText(store, folder, "one.csv", lines, one);
      expect(single.rejectReasons).to.have.property("price: expected a number", 3);
    });
  });

  it("calls a column empty only where no row of any part has anything in it", async () => {
    const mapping = parseMapping({
      source: "till",
      event: [{ name: "Order Completed" }],
      where: [{ column: "kind", equals: "order" }],
      knownAt: "occurredAt",
      fields: { occurredAt: { column: "at" }, price: "price", productId: "none", quantity: "n" },
      also: [
        {
          event: [{ name: "Order Refunded" }],
          where: [{ column: "kind", equals: "refund" }],
          fields: { quantity: null },
        },
      ],
    });
    const at = "2024-01-05T10:00:00Z";
    const lines = ["at,kind,price,none,n", `${at},order,,,many`, `${at},refund,5,,`];
    await withStore(async (store, folder) => {
      const report = await importText(store, folder, "till.csv", lines, mapping);
      expect(report).to.include({ rowsAccepted: 1, rowsRejected: 1 });
      expect(report.emptyColumns).to.deep.equal(['fields.productId: "none"']);
    });
  });

  it("CRM rows say who somebody is, and are new only where they say something else", async () => {
    const mapping = parseMapping({
      source: "crm",
      type: "identify",
      region: "NL",
      fields: {
        identifiers: {
          crm_id: "nr",
          card: "card",
          email: ["mail", "mail 2"],
          phone: { column: "tel", missing: ["-"] },
        },
        traits: {
          first_name: "first",
          birthday: "born",
          "address.city": "city",
          "address.country": "land",
        },
        consent: {
          advertising: { column: "news", granted: ["ja"], denied: ["nee"] },
          jurisdiction: { value: "NL" },
        },
      },
    });
    const header = "nr,card,mail,mail 2,tel,first,born,city,land,news";
    const rows = [
      '7,C1,jan@example.nl,JAN@work.example,06-12345678,"Jan ""J"" Ö",1980-02-29,Gouda,NL,Ja',
      "8,,nobody,,12,,,,,",
      "9,,eva@example.nl,EVA@example.nl,-,,,Delft,,nee",
      ",,,,,Anon,,,,",
    ];
    await withStore(async (store, folder) => {
      const report = await importText(store, folder, "crm.csv", [header, ...rows], mapping);
      expect(report).to.include({ rowsAccepted: 3, rowsRejected: 1 });
      expect(report.rejectReasons).to.deep.equal({
        "userId: missing, and so are all identifiers": 1,
      });
      expect(report.events).to.deep.equal({ identify: 3 });
      expect(report.unknownEvents).to.deep.equal({});
      expect(report.identifiersDropped).to.deep.equal({ email: 1, phone: 1 });
      expect(report.identifiersDroppedRows).to.deep.equal({ email: [2], phone: [2] });
      const found = await historyRows(store);
      const of = (id: string): Record<string, unknown> | undefined =>
        found.find((row) => String(row["identifiers"]).includes(`"crm_id","${id}"`));
      expect(of("7")).to.include({
        type: "identify",
        event: null,
        channel: "crm",
        occurred_at_ms: shopClock.now(),
        identifiers:
          '[["crm_id","7"],["card","C1"],["email","jan@example.nl"],["email","jan@work.example"],["phone","+31612345678"]]',
        traits:
          '{"first_name":"Jan \\"J\\" Ö","birthday":"1980-02-29","address":{"city":"Gouda","country":"NL"}}',
        consent: '{"advertising":true,"jurisdiction":"NL"}',
      });
      expect(of("8")).to.include({ identifiers: '[["crm_id","8"]]', traits: null, consent: null });
      expect(of("9")).to.include({
        identifiers: '[["crm_id","9"],["email","eva@example.nl"]]',
        traits: '{"address":{"city":"Delft"}}',
        consent: '{"advertising":false,"jurisdiction":"NL"}',
      });
      const later = rows.map((row) => row.replace("Delft", "Breda"));
      const next = await importText(store, folder, "crm-2.csv", [header, ...later], mapping);
      expect(next).to.include({ rowsAccepted: 1, rowsDuplicate: 2, rowsChanged: 0 });
    });
  });

  it("counts known rows that now say something else, and keeps what it has", async () => {
    await withStore(async (store, folder) => {
      const mapping = parseMapping({
        source: "till",
        event: [{ name: "Order Completed" }],
        knownAt: "occurredAt",
        lines: "items",
        fields: {
          messageId: { column: "no", prefix: "order-" },
          occurredAt: { column: "at" },
          userId: "who",
          orderId: "no",
          productId: "items[].sku",
          price: "items[].price",
          channel: { value: "store" },
        },
      });
      const order = (prices: readonly number[]): string =>
        JSON.stringify({
          no: 1,
          at: "2024-01-01T10:00:00Z",
          who: "u1",
          items: prices.map((price, index) => ({ sku: `P${index}`, price })),
        });
      await importText(store, folder, "a.jsonl", [order([1, 2])], mapping);
      const same = await importText(store, folder, "b.jsonl", [order([1, 2]), ""], mapping);
      expect(same).to.include({ rowsDuplicate: 2, rowsChanged: 0 });
      const corrected = await importText(store, folder, "c.jsonl", [order([1, 3, 4])], mapping);
      expect(corrected).to.include({ rowsAccepted: 0, rowsDuplicate: 3, rowsChanged: 2 });
      const both = await importText(
        store,
        folder,
        "d.jsonl",
        [order([5]).replace('"no":1', '"no":2'), order([5, 6]).replace('"no":1', '"no":2')],
        mapping,
      );
      expect(both).to.include({ rowsAccepted: 1, rowsDuplicate: 1, rowsRejected: 1 });
      expect(readFileSync(both.rejectsFile ?? "", "utf8")).to.include(
        "2,messageId,repeats the id of row 1 with other content",
      );
      expect((await historyRows(store)).map((row) => row["price"]).sort()).to.deep.equal([1, 2, 5]);
    });
  });

  it("says in a sentence what is wrong with a file or a mapping", async () => {
    const said = (error: unknown): string => (error as Error).message;
    await withStore(async (store, folder) => {
      const tell = async (text: string): Promise<string> => {
        const file = join(folder, "bad.csv");
        writeFileSync(file, text);
        return importFile(store, shopClock, { file, mapping: MAIL }).then(() => "", said);
      };
      expect(await tell("")).to.equal("file: bad.csv is empty");
      expect(await tell('a,b\n"x"y,1\n"z,2\n'.repeat(50))).to.match(
        /^file: cannot read bad.csv: its columns can't be told apart( \(line \d+\))?; check the delimiter, the quotes and the line ends$/,
      );
    });
    const missing = join("nowhere", "mapping.json");
    expect(() => readMapping(missing)).to.throw(`mapping: there is no file ${missing}`);
    expect(() => segmentMapping("A B")).to.throw(/^source: expected lower-case/);
    expect(() => parseMapping({ ...MAIL, extra: 1 })).to.throw(
      /^mapping: Unrecognized key: "extra"/,
    );
  });

  it("names what a mapping gets wrong", () => {
    const base = { source: "s", event: [{ name: "x" }], fields: { occurredAt: { column: "t" } } };
    const fieldOf = (changes: object): string | undefined => {
      try {
        parseMapping({ ...base, ...changes });
      } catch (error) {
        return error instanceof ServiceError ? error.field : "no ServiceError";
      }
      return undefined;
    };
    const fields = (changes: object): object => ({ fields: { ...base.fields, ...changes } });
    expect(fieldOf({})).to.equal(undefined);
    expect(fieldOf({ event: undefined })).to.equal("event");
    expect(fieldOf({ event: undefined, type: "identify" })).to.equal(undefined);
    expect(fieldOf({ fields: {} })).to.equal("fields.occurredAt");
    expect(fieldOf({ lines: "items" })).to.equal("fields.messageId");
    expect(fieldOf({ region: "Nederland" })).to.equal("region");
    expect(fieldOf({ also: [{ event: [{ name: "y" }], fields: { price: 3 } }] })).to.match(
      /^also.0.fields.price/,
    );
    expect(fieldOf(fields({ channel: { value: "fax" } }))).to.match(/^fields.channel/);
    expect(fieldOf(fields({ identifiers: { "E-mail": "mail" } }))).to.match(/^fields.identifiers/);
    expect(fieldOf(fields({ identifiers: { user_id: "nr" } }))).to.match(/^fields.identifiers/);
    expect(fieldOf(fields({ consent: { selling: { column: "c" } } }))).to.match(/^fields.consent/);
    expect(fieldOf(fields({ traits: { "a.b.c": "x" } }))).to.match(/^fields.traits/);
  });
});
