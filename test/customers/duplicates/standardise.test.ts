import { expect } from "chai";
import type { SqlRow } from "../../../src/base/index.ts";
import { PERSON_FIELDS, type PersonField } from "../../../src/customers/duplicates/fields.ts";
import { standardiseSql } from "../../../src/customers/duplicates/standardise.ts";
import { withPeople } from "../../support/duplicates.ts";

async function standardised(
  rows: readonly Readonly<Partial<Record<PersonField, string>>>[],
): Promise<SqlRow[]> {
  const numbered = rows.map((row, index) => ({ record_id: String(1000 + index), ...row }));
  return withPeople(numbered, async (duckdb) => {
    for (const sql of standardiseSql(PERSON_FIELDS)) {
      await duckdb.run(sql);
    }
    return duckdb.rows("SELECT * FROM record ORDER BY record_id");
  });
}

async function column(field: PersonField, given: readonly string[]): Promise<unknown[]> {
  const rows = await standardised(given.map((value) => ({ [field]: value })));
  return rows.map((row) => row[field]);
}

describe("a person record in the form in which it is compared", () => {
  it("has dates of any sane form as yyyymmdd", async () => {
    const days = [
      "1990-12-31",
      "1990-12-31T00:00:00.000Z",
      "19901231",
      "31/12/1990",
      "31.12.90",
      "12/31/1990",
      "31 December 1990",
      "Dec 31, 1990",
      "31st dec 1990",
      "1990/12/31 00:00",
      "31121990",
    ];
    expect(await column("birth_date", days)).to.deep.equal(days.map(() => "19901231"));
    expect(await column("birth_date", ["19311342", "0000", "soon", "", "1.5"])).to.deep.equal([
      "19311342",
      null,
      null,
      null,
      null,
    ]);
  });

  it("reads a column's dates month first where its numbers say so", async () => {
    expect(await column("birth_date", ["03/04/1990", "12/25/1985", "01/31/2000"])).to.deep.equal([
      "19900304",
      "19851225",
      "20000131",
    ]);
    expect(await column("birth_date", ["03/04/1990", "25/12/1985"])).to.deep.equal([
      "19900403",
      "19851225",
    ]);
  });

  it("has names without case, accents, titles and punctuation, in any script", async () => {
    const family = ["Müller", "MULLER ", "O’Neil", "o'neil", "Ångström", "Иванов", "王", "null"];
    expect(await column("family_name", family)).to.deep.equal([
      "muller",
      "muller",
      "oneil",
      "oneil",
      "angstrom",
      "иванов",
      "王",
      null,
    ]);
    const given = await standardised([{ given_name: "Dr. Eva", family_name: "Smith, PhD" }]);
    expect(given[0]).to.include({ given_name: "eva", family_name: "smith" });
  });

  it("splits two names in one field, and knows a second given name from a family name", async () => {
    const rows = await standardised([
      { given_name: "Eva", family_name: "Jansen" },
      { given_name: "Eva Jansen" },
      { family_name: "Eva Jansen" },
      { given_name: "Anna Maria" },
      { given_name: "Eva Jansen", family_name: "Jansen" },
    ]);
    expect(rows.map((row) => [row["given_name"], row["family_name"]])).to.deep.equal([
      ["eva", "jansen"],
      ["eva", "jansen"],
      ["eva", "jansen"],
      ["annamaria", null],
      ["eva", "jansen"],
    ]);
  });

  it("has addresses, e-mail and telephone without what writers vary in", async () => {
    expect(await column("street", ["12 Main Street", "12, main St.", "Hauptstr. 5"])).to.deep.equal(
      ["12mainst", "12mainst", "hauptstr5"],
    );
    expect(await column("postcode", ["1012 AB", "1012ab", "02119", "2119.0"])).to.deep.equal([
      "1012ab",
      "1012ab",
      "2119",
      "2119",
    ]);
    expect(
      await column("email", [
        "Eva.J+shop@GMail.com",
        "evaj@googlemail.com",
        "e.j@x.nl",
        "none",
        "@x",
      ]),
    ).to.deep.equal(["evaj@gmail.com", "evaj@gmail.com", "e.j@x.nl", null, null]);
    expect(
      await column("phone", ["+31 6 1234 5678", "06-12345678", "0031612345678", "000000000", "12"]),
    ).to.deep.equal(["612345678", "612345678", "612345678", null, null]);
  });
});
