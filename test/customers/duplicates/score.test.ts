import { readFileSync } from "node:fs";
import { expect } from "chai";
import { COMPARISONS, comparePairsSql } from "../../../src/customers/duplicates/comparisons.ts";
import type { LevelShares, Parameters } from "../../../src/customers/duplicates/parameters.ts";
import { ownSql, scoreSql, weighSql } from "../../../src/customers/duplicates/predict.ts";
import { standardiseSql } from "../../../src/customers/duplicates/standardise.ts";
import { withPeople } from "../../support/duplicates.ts";

type Compared = "given_name" | "family_name" | "birth_date";

interface KnownValues {
  readonly people: readonly (readonly [string, string | null, string | null, string | null])[];
  readonly prior: number;
  readonly shares: Readonly<Record<Compared, LevelShares>>;
  readonly pairs: readonly {
    readonly l: string;
    readonly r: string;
    readonly levels: readonly [number, number, number];
    readonly match_weight: number;
    readonly probability: number;
  }[];
  readonly jaro_winkler: readonly (readonly [string, string, number])[];
}

const known = JSON.parse(
  readFileSync(new URL("../../known-values/splink.json", import.meta.url), "utf8"),
) as KnownValues;

const FIELDS = ["given_name", "family_name", "birth_date"] as const;
/** Splink's levels, from "different" up, by our names of them. */
const LEVELS: Readonly<Record<Compared, readonly string[]>> = {
  given_name: ["different", "equal"],
  family_name: ["different", "nearly equal", "equal"],
  birth_date: ["different", "equal"],
};

function ourLevel(comparison: Compared, theirs: number): number {
  const one = COMPARISONS.find(({ name }) => name === comparison) ?? expect.fail(comparison);
  const index = one.levels.findIndex(({ name }) => name === LEVELS[comparison][theirs]);
  return theirs < 0 ? -1 : index < 0 ? 0 : one.levels.length - index;
}

/** Splink's parameters at our levels; levels that Splink has not are never reached, or say nothing. */
function parameters(): Parameters {
  const comparisons = COMPARISONS.map((one) => {
    const m = Array.from({ length: one.levels.length + 1 }, () => 0.5);
    const u = [...m];
    const name = FIELDS.find((field) => field === one.name);
    if (name !== undefined) {
      // Splink lists the best level first.
      const theirs = known.shares[name];
      for (const [index, share] of theirs.m.toReversed().entries()) {
        m[ourLevel(name, index)] = share;
        u[ourLevel(name, index)] = theirs.u.toReversed()[index] ?? 0;
      }
    }
    return [one.name, { m, u }] as const;
  });
  return { prior: known.prior, household: 0, comparisons: Object.fromEntries(comparisons) };
}

describe("match weights", () => {
  const rows = known.people.map(([record_id, given_name, family_name, birth_date]) => ({
    record_id,
    given_name,
    family_name,
    birth_date,
  }));

  it("are Splink's for the same parameters, levels and term frequencies", async () => {
    await withPeople(
      rows,
      async (duckdb) => {
        for (const sql of [
          ...standardiseSql(FIELDS),
          comparePairsSql(
            "compared",
            "SELECT l.number AS l_number, r.number AS r_number FROM record AS l JOIN record AS r ON l.number < r.number",
          ),
          weighSql("compared", parameters()),
          ownSql(),
          "DELETE FROM own",
          scoreSql(parameters()),
        ]) {
          await duckdb.run(sql);
        }
        const scored = await duckdb.rows("SELECT * FROM scored");
        const byIds = new Map(
          scored.map((row) => [[String(row["l_id"]), String(row["r_id"])].sort().join(), row]),
        );
        const alike = known.pairs.filter(({ l, r, levels }) => {
          const row = byIds.get([l, r].sort().join());
          return FIELDS.every((name, index) => row?.[name] === ourLevel(name, levels[index] ?? 0));
        });
        expect(alike).to.have.lengthOf.at.least(55);
        for (const { l, r, match_weight, probability } of alike) {
          const row = byIds.get([l, r].sort().join());
          expect(row?.["match_weight"], `${l} ${r}`).to.be.closeTo(match_weight, 1e-9);
          expect(row?.["probability"], `${l} ${r}`).to.be.closeTo(probability, 1e-9);
        }
        // Both the frequency of a name and a name that is nearly equal are among them.
        expect(alike.some(({ levels }) => levels[1] === 2)).to.equal(true);
        expect(alike.some(({ levels }) => levels[1] === 1)).to.equal(true);
      },
      FIELDS,
    );
  });

  it("stand on the same Jaro-Winkler similarity", async () => {
    await withPeople([], async (duckdb) => {
      for (const [left, right, similarity] of known.jaro_winkler) {
        const [row] = await duckdb.rows(
          `SELECT jaro_winkler_similarity('${left}', '${right}') AS similarity`,
        );
        expect(row?.["similarity"]).to.be.closeTo(similarity, 1e-12);
      }
    });
  });
});
