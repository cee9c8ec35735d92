import { expect } from "chai";
import { DAY_MS } from "../../../src/base/index.ts";
import { intentTask } from "../../../src/models/index.ts";

const HOUR_MS = DAY_MS / 24;

describe("models/intent/intent-task", () => {
  it("asks about an hour, a day and a week, and ranks by the day", () => {
    const { visits, intervalMs } = intentTask({ hasVisits: true });
    expect(visits?.horizonsMs).to.deep.equal([HOUR_MS, DAY_MS, 7 * DAY_MS]);
    expect(visits?.mainHorizon).to.equal(1);
    expect(intervalMs).to.equal(7 * DAY_MS);
  });

  it("asks about other horizons, the pool about the last of them", () => {
    const horizonsMs = [HOUR_MS / 2, 2 * HOUR_MS, 3 * DAY_MS, 14 * DAY_MS];
    const task = intentTask({ hasVisits: true, horizonsMs, mainHorizonMs: 3 * DAY_MS });
    expect(task.visits?.horizonsMs).to.deep.equal(horizonsMs);
    expect(task.visits?.mainHorizon).to.equal(2);
    expect(task.intervalMs).to.equal(14 * DAY_MS);
    expect(intentTask({ hasVisits: true, horizonsMs: [HOUR_MS] }).visits?.mainHorizon).to.equal(0);
  });

  it("refuses a main horizon that is none of them", () => {
    expect(() => intentTask({ hasVisits: true, mainHorizonMs: 2 * DAY_MS })).to.throw(
      "main-horizon: expected one of the horizons",
    );
  });
});
