import { expect } from "chai";
import fc from "fast-check";
import { personOf, personSql } from "../../src/collection/index.ts";
import { withStore } from "../support/temporary.ts";

describe("collection/line-person", () => {
  it("is the same text for a line at hand and for one of the history", async () => {
    const text = fc
      .oneof(
        fc.string({ unit: "binary", maxLength: 12 }),
        fc.string({
          unit: fc.constantFrom("\\", '"', "/", "u", "\u001f", "\u007f", "\u2028", "é"),
        }),
      )
      .filter((one) => !one.includes("\0"));
    const line = fc.record({
      userId: fc.option(text),
      anonymousId: fc.option(text),
      identifiers: fc.option(
        fc
          .array(fc.tuple(fc.constantFrom("email", "crm_id"), text), { minLength: 1, maxLength: 2 })
          .map((names) => JSON.stringify(names)),
      ),
      isClaim: fc.boolean(),
    });
    await withStore(async (store) => {
      const duckdb = await store.openDuckDb();
      await duckdb.run(
        "CREATE TABLE line (number DOUBLE, user_id VARCHAR, anonymous_id VARCHAR, identifiers VARCHAR, is_claim BOOLEAN)",
      );
      const lines = fc.sample(line, { numRuns: 3_000, seed: 7 });
      await duckdb.append(
        "line",
        lines.map((one, number) => [
          ...[number, one.userId, one.anonymousId, one.identifiers, one.isClaim],
        ]),
      );
      const rows = await duckdb.rows(`SELECT ${personSql()} AS person FROM line ORDER BY number`);
      duckdb.close();
      expect(lines.map(personOf)).to.deep.equal(rows.map(({ person }) => person));
      expect(rows.filter(({ person }) => String(person).startsWith("["))).to.not.be.empty;
    });
  });
});
