import { expect } from "chai";
import { workingMemoryMiB } from "../../src/base/index.ts";

const GIB = 2 ** 30;

describe("base/memory", () => {
  it("takes a quarter of the machine, or of what its container allows, within bounds", () => {
    expect(workingMemoryMiB(8 * GIB, 0)).to.equal(2048);
    expect(workingMemoryMiB(64 * GIB, 0)).to.equal(4096);
    expect(workingMemoryMiB(1 * GIB, 0)).to.equal(700);
    expect(workingMemoryMiB(64 * GIB, 6 * GIB)).to.equal(1536);
    expect(workingMemoryMiB(8 * GIB, 2 ** 63)).to.equal(2048);
  });
});
