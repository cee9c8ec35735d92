import { expect } from "chai";
import { type SqlRow, seededRandom } from "../../src/base/index.ts";
import { COMPARISONS } from "../../src/customers/duplicates/comparisons.ts";
import { PERSON_FIELDS } from "../../src/customers/duplicates/fields.ts";
import { judge, search } from "../support/duplicates.ts";
import { generatePeople, type PersonRow } from "../support/people.ts";

const people = generatePeople(11, 800);

/** The weights of the pairs by what the two say, whatever their ids and order. */
function byContent(rows: readonly PersonRow[], pairs: readonly SqlRow[]): Map<string, number> {
  const said = new Map(
    rows.map((row) => [row.record_id, PERSON_FIELDS.map((field) => row[field]).join("|")]),
  );
  return new Map(
    pairs.map((pair) => {
      const ends = [said.get(String(pair["l_id"])), said.get(String(pair["r_id"]))].sort();
      return [ends.join(" "), Number(pair["match_weight"])];
    }),
  );
}

describe("probable duplicates", () => {
  it("are the same whatever the order of the rows and their ids", async () => {
    const random = seededRandom(5);
    const shuffled = people
      .map((row) => ({ ...row, record_id: `x${random.next()}` }))
      .sort((a, b) => a.record_id.localeCompare(b.record_id));
    const before = byContent(people, (await search(people)).pairs);
    const after = byContent(shuffled, (await search(shuffled)).pairs);
    expect([...after.keys()]).to.have.members([...before.keys()]);
    for (const [content, weight] of after) {
      expect(weight, content).to.be.closeTo(before.get(content) ?? Number.NaN, 1e-9);
    }
  });

  it("teach the shares with which they were made", async () => {
    const { rows, made } = withKnownShares(1500);
    const { found } = await search(rows, {
      fields: ["given_name", "family_name", "birth_date", "other_id"],
      randomPairsMax: 300_000,
    });
    const learned = (comparison: string, level: string): number => {
      const one = COMPARISONS.find(({ name }) => name === comparison) ?? expect.fail(comparison);
      const index = one.levels.findIndex(({ name }) => name === level);
      return found.parameters.comparisons[comparison]?.m[one.levels.length - index] ?? 0;
    };
    expect(learned("given_name", "equal")).to.be.closeTo(made.given_name, 0.02);
    expect(learned("family_name", "equal")).to.be.closeTo(made.family_name, 0.02);
    expect(learned("birth_date", "equal")).to.be.closeTo(made.birth_date, 0.02);
    const u = found.parameters.comparisons["given_name"]?.u.at(-2) ?? 0;
    expect(u, "u of an equal given name").to.be.closeTo(1 / 50, 0.002);
    const pairs = (1500 * 1499) / 2;
    expect(found.parameters.prior * pairs).to.be.closeTo(500, 20);
  });

  it("skip values that too many share, and say so", async () => {
    const junk = people.map((row, index) =>
      index % 2 === 0 ? { ...row, email: "no-reply@shop.example", phone: "0612345678" } : row,
    );
    const { found, pairs } = await search(junk, { blockSizeMax: 100 });
    const skipped = found.skipped.filter(({ rule }) => rule === "e-mail" || rule === "phone");
    expect(skipped).to.deep.equal([
      { rule: "e-mail", blocks: 1, largest: 400, pairs: (400 * 399) / 2 },
      { rule: "phone", blocks: 1, largest: 400, pairs: (400 * 399) / 2 },
    ]);
    expect(found.candidates).to.be.below(150_000);
    expect(judge(junk, pairs).precision).to.be.at.least(0.85);
  });

  it("cope with columns that are absent, empty or almost so", async () => {
    const named = people.map(({ record_id, truth, family_name }) => ({
      record_id,
      truth,
      family_name,
    }));
    const { found } = await search(named, { fields: ["family_name"] });
    expect(found.records).to.equal(people.length);
    const nothing = Array.from({ length: 50 }, (_, index) => ({ record_id: String(index) }));
    expect((await search(nothing)).pairs).to.deep.equal([]);
    expect((await search(nothing, { fields: [] })).found.candidates).to.equal(0);
  });

  it("are found in any script, with names and dates swapped", async () => {
    const extra = [
      { given_name: "Иван", family_name: "Петров", birth_date: "1980-03-04", email: "ivan@x.ru" },
      { given_name: "Петров", family_name: "Иван", birth_date: "1980-04-03", email: "ivan@x.ru" },
      {
        given_name: "José",
        family_name: "Núñez",
        birth_date: "05/06/1971",
        phone: "0034600111222",
      },
      { given_name: "JOSE", family_name: "NUNEZ", birth_date: "1971-06-05", phone: "600 111 222" },
    ].map((row, index) => ({ record_id: `extra${index}`, ...row }));
    const { pairs } = await search([...people.slice(0, 300), ...extra]);
    const found = pairs
      .filter((row) => Number(row["match_weight"]) >= 0 && String(row["l_id"]).startsWith("extra"))
      .map((row) => [row["l_id"], row["r_id"]].sort());
    expect(found).to.have.deep.members([
      ["extra0", "extra1"],
      ["extra2", "extra3"],
    ]);
  });
});

/** Two thirds persons twice: the copy keeps each field with a known share, else takes a stranger's. */
function withKnownShares(count: number): {
  readonly rows: readonly PersonRow[];
  readonly made: Readonly<Record<"given_name" | "family_name" | "birth_date", number>>;
} {
  const random = seededRandom(3);
  const m = { given_name: 0.9, family_name: 0.8, birth_date: 0.7 };
  const kept = { given_name: 0, family_name: 0, birth_date: 0 };
  let copies = 0;
  // Words that have nothing in common, so that only "equal" and "different" occur.
  const word = (kind: string, index: number): string =>
    `${kind}${index}`
      .split(/(?=.)/)
      .map((sign) => "qwxzvkjphfgbm"[sign.charCodeAt(0) % 13])
      .join("") +
    "aeiouy".repeat(3).slice(index % 7, (index % 7) + 3 + (index % 5)) +
    String.fromCharCode(97 + (index % 26), 97 + (Math.floor(index / 26) % 26));
  const person = () => ({
    given_name: word("g", random.below(50)),
    family_name: word("f", random.below(400)),
    birth_date: String(
      19300101 + 10_000 * random.below(70) + 100 * random.below(12) + random.below(28),
    ),
    other_id: String(10 ** 9 + random.below(9 * 10 ** 9)),
  });
  const none = { street: null, postcode: null, city: null, email: null, phone: null };
  const rows: PersonRow[] = [];
  for (let index = 0; rows.length < count; index++) {
    const original = person();
    rows.push({ record_id: `a${index}`, truth: String(index), ...none, ...original });
    if (index % 2 === 0 && rows.length < count) {
      const other = person();
      const keep = (field: keyof typeof m): string => {
        const isKept = random.next() < m[field] || original[field] === other[field];
        kept[field] += isKept ? 1 : 0;
        return isKept ? original[field] : other[field];
      };
      copies++;
      rows.push({
        record_id: `b${index}`,
        truth: String(index),
        ...none,
        given_name: keep("given_name"),
        family_name: keep("family_name"),
        birth_date: keep("birth_date"),
        other_id: original.other_id,
      });
    }
  }
  return {
    rows,
    made: {
      given_name: kept.given_name / copies,
      family_name: kept.family_name / copies,
      birth_date: kept.birth_date / copies,
    },
  };
}
