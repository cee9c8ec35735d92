import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { openByteSearch, openTextSearch } from "../../src/customers/rights/byte-search.ts";
import { createMatcher } from "../../src/customers/rights/person-matcher.ts";
import { searchFiles, searchTables } from "../../src/customers/rights/remains-store.ts";
import { withStore } from "../support/temporary.ts";

const JAN = { type: "email", value: "jan.k@voorbeeld.nl" };

const percent = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

const letter = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789._-".split(""));
const word = fc
  .array(letter, { minLength: 3, maxLength: 10 })
  .map((letters) => `a${letters.join("").replaceAll(/[._-]+/g, "x")}z`);
const email = fc.tuple(word, word).map(([name, domain]) => `${name}@${domain}.nl`);

/** Ways to write one character, of those that a value may mix. */
const WAYS: readonly ((character: string) => string)[] = [
  (one) => one,
  (one) => one.toUpperCase(),
  (one) => percent(one).toUpperCase(),
  (one) => percent(one),
  (one) => percent(one).replace("%", "%25"),
  (one) => percent(one).replace("%", "%2525"),
  (one) => `&#${one.charCodeAt(0)};`,
  (one) => `&#x${one.charCodeAt(0).toString(16)};`,
  (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
];

const mixed = fc.record({
  email,
  ways: fc.array(fc.nat(WAYS.length - 1), { minLength: 1, maxLength: 40 }),
  before: fc.constantFrom("", "to ", "https://x.nl/?e=", "(", "\t"),
  after: fc.constantFrom("", " now", "&x=1", ")", "\n"),
  base64: fc.constantFrom(undefined, "base64" as const, "base64url" as const),
  padding: fc.nat(5),
});
type Mixed = typeof mixed extends fc.Arbitrary<infer T> ? T : never;

/** A text that holds the address in some encoding. */
function written({ email: address, ways, before, after, base64, padding }: Mixed): string {
  if (base64 !== undefined) {
    const cased = Array.from(address, (one, at) =>
      ways[at % ways.length] === 1 ? one.toUpperCase() : one,
    );
    const text = `${" ".repeat(padding)}${before}${cased.join("")}${after}`;
    return `data:${Buffer.from(text).toString(base64)}`;
  }
  const spelled = Array.from(address, (one, at) => WAYS[ways[at % ways.length] ?? 0]?.(one) ?? one);
  return `${before}${spelled.join("")}${after}`;
}

describe("a person's identifiers where somebody encoded them", () => {
  it("are taken out of a text, or reported: of files, of bytes, of columns", () => {
    fc.assert(
      fc.property(mixed, fc.nat(40), (one, cut) => {
        const text = written(one);
        const json = JSON.stringify({ note: [text] });
        const redacted = createMatcher([{ type: "email", value: one.email }]).redact(json);
        const isGone = redacted === '{"note":["[erased]"]}';
        const search = openByteSearch([one.email]);
        const bytes = Buffer.from(`zz ${text} zz`);
        const isReported = [bytes.subarray(0, cut), bytes.subarray(cut)].some((piece) =>
          search.isIn(piece),
        );
        expect(isReported, text).to.equal(true);
        expect(openTextSearch([one.email])(text), text).to.equal(true);
        expect(isGone, text).to.equal(true);
      }),
      { numRuns: 150 },
    );
  });

  it("are not another's: a tag makes another address", () => {
    const matcher = createMatcher([JAN]);
    for (const text of [
      "jan.k+shop@voorbeeld.nl",
      "xjan.k@voorbeeld.nl",
      "jan.k@voorbeeld.nl.org",
    ]) {
      for (const spelled of [text, percent(text), Buffer.from(` ${text} `).toString("base64")]) {
        expect(matcher.isIn(JSON.stringify({ spelled })), spelled).to.equal(false);
      }
    }
  });

  it("are reported where they stand in a column or a file, the database's own among them", async () => {
    await withStore(async (store) => {
      expect(await searchFiles(store.folder, [JAN])).to.deep.include({ files: [] });
      const insert = store.sqlite.prepare("INSERT INTO product VALUES (?, NULL)");
      insert.run(`p ${percent(JAN.value)}`);
      writeFileSync(
        join(store.path("rejects"), "x.bin"),
        Buffer.from(JAN.value.toUpperCase()).toString("base64"),
      );
      writeFileSync(join(store.path("rejects"), "y.bin"), "jan.k+x@voorbeeld.nl");
      expect(searchTables(store.sqlite, [JAN])).to.deep.equal(["product.product"]);
      const { files } = await searchFiles(store.folder, [JAN]);
      expect(files).to.have.members(["herkoop.sqlite-wal", "rejects/x.bin"]);
    });
  });

  it("are looked for without letting go of the locks on the database", async () => {
    await withStore(async (store) => {
      store.sqlite.exec("BEGIN IMMEDIATE");
      await searchFiles(store.folder, [JAN]);
      const script = `const D = require("better-sqlite3"); const d = new D(process.argv[1], { timeout: 0 }); try { d.exec("BEGIN IMMEDIATE"); console.log("got it"); } catch (error) { console.log(error.code); }`;
      const said = execFileSync(process.execPath, [
        "-e",
        script,
        join(store.folder, "herkoop.sqlite"),
      ]);
      expect(said.toString().trim()).to.equal("SQLITE_BUSY");
      store.sqlite.exec("ROLLBACK");
    });
  });
});
