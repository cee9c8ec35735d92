import { expect } from "chai";
import fc from "fast-check";
import { flattenDeep, shapeOf, topLevelText } from "../../src/web/json-bytes.ts";

/** Levels of objects and lists in a value, and how many values it has down to `depthMax`. */
function measured(value: unknown, depthMax: number, level = 1): [depth: number, values: number] {
  if (typeof value !== "object" || value === null) {
    return [level - 1, 0];
  }
  const items = Object.values(value);
  const inner = items.map((item) => measured(item, depthMax, level + 1));
  const own = level > depthMax ? 0 : 1 + Math.max(0, items.length - 1);
  return [
    Math.max(level, ...inner.map(([depth]) => depth)),
    inner.reduce((sum, [, values]) => sum + values, own),
  ];
}

/** The value with 0 for every object and list beyond a depth. */
function flattened(value: unknown, depthMax: number, level = 1): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (level > depthMax) {
    return 0;
  }
  const inner = (item: unknown): unknown => flattened(item, depthMax, level + 1);
  return Array.isArray(value)
    ? value.map(inner)
    : Object.fromEntries(Object.entries(value).map(([name, item]) => [name, inner(item)]));
}

const value = fc.jsonValue({ maxDepth: 7, stringUnit: "binary" });
const text = fc
  .tuple(value, fc.constantFrom(undefined, 2, "\t"))
  .map(([json, space]) => JSON.stringify(json, null, space));

describe("JSON text that is looked at before it is parsed", () => {
  it("has the depth and the number of values that a parser finds", () => {
    fc.assert(
      fc.property(text, fc.nat(8), (json, depthMax) => {
        const [depth, values] = measured(JSON.parse(json), depthMax);
        expect(shapeOf(Buffer.from(json), depthMax)).to.deep.equal({ depth, values });
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("may be cut off anywhere, also in a text that is nested too deep", () => {
    const json = Buffer.from('[[[{"a": "b\\"c"}]]]');
    for (let length = 0; length <= json.length; length++) {
      const cut = Buffer.from(json.subarray(0, length));
      expect(shapeOf(cut, 2).depth).to.be.at.most(4);
      flattenDeep(cut, 2);
      expect(cut).to.have.lengthOf(length);
    }
  });

  it("has 0 for what is nested too deep, and is the same for the rest", () => {
    fc.assert(
      fc.property(text, fc.nat(6), (json, depthMax) => {
        const bytes = Buffer.from(json);
        flattenDeep(bytes, depthMax);
        expect(bytes.length).to.equal(Buffer.byteLength(json));
        expect(JSON.parse(bytes.toString())).to.deep.equal(flattened(JSON.parse(json), depthMax));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("is no JSON afterwards where it was none", () => {
    for (const broken of ["[[[", "]]", '{"a":"', '["\\', "[1 2]", '{"a" [[[]]]}', "[[[]]] [", ""]) {
      const bytes = Buffer.from(broken);
      flattenDeep(bytes, 1);
      expect(() => JSON.parse(bytes.toString()) as unknown, broken).to.throw(SyntaxError);
    }
  });

  it("tells the text under a name, of the outermost object alone, and though it is cut off", () => {
    for (const [json, found] of [
      ['{"writeKey":"k"}', "k"],
      [' { "a" : [{"writeKey":"no"}] , "writeKey" : "k\\u0041\\"" , "b"', 'kA"'],
      ['{"text":"{\\"writeKey\\":\\"no\\"}","writeKey":"k"}', "k"],
      ['{"writeKey":{"a":"no"},"writeKey":"k"}', undefined],
      ['{"writeKey":"k', undefined],
      ['{"writeKey":', undefined],
      ['{"a":{"writeKey":"no"}}', undefined],
      ['"writeKey":"no"', undefined],
      ['{"b":"writeKey"}', undefined],
      ["", undefined],
    ] as const) {
      expect(topLevelText(Buffer.from(json), "writeKey"), json).to.equal(found);
    }
  });
});
