import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, ServiceError } from "../../src/base/index.ts";
import { planEvaluation, planStage } from "../../src/models/plan.ts";
import { systemsOf } from "../../src/models/systems.ts";
import { horizonMs, intentTask, repurchaseTask } from "../../src/models/task.ts";

const day = (text: string): number => Date.parse(text);
const dates = (instants: readonly number[]): string[] =>
  instants.map((instant) => new Date(instant).toISOString().slice(0, 10));

describe("models/systems", () => {
  const namesOf = (systems: readonly string[]): string[] =>
    systemsOf(repurchaseTask({ systems })).map(({ name }) => name);

  it("are those that the task names, in their order", () => {
    expect(namesOf(["marginal", "network"])).to.deep.equal(["network", "marginal"]);
    expect(systemsOf(repurchaseTask())).to.have.length(11);
  });

  it("are refused where one is unknown, or there is nothing to compare", () => {
    expect(() => namesOf(["network", "recncy"])).to.throw(ServiceError, /nearest: recency/);
    expect(() => namesOf(["network"])).to.throw(ServiceError, /a baseline at least/);
    expect(() => namesOf(["recency", "marginal"])).to.throw(ServiceError, /name the network/);
  });
});

describe("models/plan", () => {
  it("lays out the reference split: nine cutoffs 28 days apart, the last 84 days before the test", () => {
    const task = repurchaseTask({ completeLabels: true, maximumCutoffs: 9 });
    const plan = planEvaluation(task, day("2011-09-17"), day("2011-12-10"), day("2009-12-01"));
    expect(dates(plan.testCutoffs)).to.deep.equal(["2011-09-17"]);
    expect(dates(plan.evaluation.training)).to.deep.equal([
      "2010-11-13",
      "2010-12-11",
      "2011-01-08",
      "2011-02-05",
      "2011-03-05",
      "2011-04-02",
      "2011-04-30",
      "2011-05-28",
      "2011-06-25",
    ]);
    expect(dates(plan.calibrationCutoffs)).to.deep.equal(["2011-06-25"]);
    expect(dates(plan.calibration.training).at(-1)).to.equal("2011-04-02");
  });

  it("never lets a period see what the next one is judged on", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 26 }),
        fc.integer({ min: 200, max: 2000 }),
        fc.boolean(),
        (isIntent, horizon, history, completeLabels) => {
          const task = isIntent
            ? intentTask({ horizonDays: horizon })
            : repurchaseTask({ horizonWeeks: horizon, completeLabels });
          const end = 1000 * DAY_MS + history * DAY_MS;
          try {
            const plan = planEvaluation(task, end - horizonMs(task), end, 1000 * DAY_MS);
            const calibrationStart = Math.min(...plan.calibrationCutoffs);
            const testStart = Math.min(...plan.testCutoffs);
            expect(plan.calibration.knownBefore).to.equal(calibrationStart);
            expect(plan.evaluation.knownBefore).to.equal(testStart);
            for (const cutoff of plan.calibration.training) {
              expect(
                cutoff + Math.min(task.minimumObserved, task.intervals) * task.intervalMs,
              ).to.be.at.most(calibrationStart);
            }
            for (const cutoff of plan.evaluation.training) {
              expect(
                cutoff + Math.min(task.minimumObserved, task.intervals) * task.intervalMs,
              ).to.be.at.most(testStart);
            }
            expect(Math.max(...plan.calibrationCutoffs) + horizonMs(task)).to.be.at.most(testStart);
            expect(Math.max(...plan.testCutoffs) + horizonMs(task)).to.be.at.most(plan.judgedAt);
          } catch (error) {
            expect(error).to.be.instanceOf(ServiceError);
          }
        },
      ),
    );
  });

  it("tests on fewer cutoffs before it gives up", () => {
    const weeks = (history: number): number => {
      const end = day("2024-07-01");
      return planEvaluation(intentTask(), end - 7 * DAY_MS, end, end - history * DAY_MS).testCutoffs
        .length;
    };
    expect([400, 105, 98, 91, 60, 49].map(weeks)).to.deep.equal([4, 4, 3, 3, 1, 1]);
    expect(() => weeks(48)).to.throw(ServiceError, /too short/);
  });

  it("says from when on orders would do where they reach too short", () => {
    expect(() =>
      planEvaluation(repurchaseTask(), day("2024-03-01"), day("2024-05-24"), day("2024-01-01")),
    ).to.throw(ServiceError, /too short a history.*horizon of 84 days; orders from 2023-\d\d-\d\d/);
    expect(
      planStage(repurchaseTask(), day("2024-02-01"), day("2024-01-01")).training,
    ).to.deep.equal([]);
  });
});
