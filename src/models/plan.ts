import { DAY_MS } from "../base/index.ts";
import { horizonMs, type ModelTask } from "./task.ts";
import { tooShort } from "./too-little.ts";

/**
 * Who learns from when. All instants are epoch ms. The periods follow each other with a gap: what is
 * tested lies after everything that was known when training, and so does the calibration period for
 * the network that is calibrated on it.
 *
 * Labels of training rows end where the next period begins; a row whose horizon reaches further is
 * censored there (its remaining weeks are unknown, not "no purchase").
 */
export interface Stage {
  /** The instant this stage pretends is now: nothing known later is seen. */
  readonly knownBefore: number;
  /** Cutoffs of the training rows, ascending. */
  readonly training: readonly number[];
}

export interface Plan {
  /** Fitted to be calibrated. */
  readonly calibration: Stage;
  readonly calibrationCutoffs: readonly number[];
  /** Fitted to be tested: what the report is about. */
  readonly evaluation: Stage;
  readonly testCutoffs: readonly number[];
  /** What is seen when the test is judged, epoch ms. */
  readonly judgedAt: number;
}

/** A shop's first weeks teach little: cutoffs begin this many days after its first order. */
const MINIMUM_HISTORY_DAYS = 28;

/** A plan with fewer training cutoffs than this gives up test cutoffs first. */
const ENOUGH_TRAINING_CUTOFFS = 3;

/**
 * Plans an evaluation whose last test cutoff is `lastTest`, judged with what was known before
 * `judgedAt`: with the task's number of test cutoffs, or fewer where the history is short. Throws
 * `TooLittleData`, saying what is missing, where the orders reach too short for any.
 */
export function planEvaluation(
  task: ModelTask,
  lastTest: number,
  judgedAt: number,
  firstOrderAt: number,
): Plan {
  const plans = Array.from({ length: task.testCutoffs }, (_, fewer) =>
    planWith(task, task.testCutoffs - fewer, { lastTest, judgedAt, firstOrderAt }),
  );
  const trainable = plans.filter((plan) => plan.calibration.training.length > 0);
  const plan =
    trainable.find((one) => one.calibration.training.length >= ENOUGH_TRAINING_CUTOFFS) ??
    trainable.at(-1);
  if (plan === undefined) {
    const gap = trainingGap(task) + MINIMUM_HISTORY_DAYS * DAY_MS;
    const neededFrom = (plans.at(-1)?.calibration.knownBefore ?? lastTest) - gap;
    throw tooShort(task, { firstOrderAt, neededFrom, end: judgedAt });
  }
  return plan;
}

function planWith(
  task: ModelTask,
  testCount: number,
  when: { readonly lastTest: number; readonly judgedAt: number; readonly firstOrderAt: number },
): Plan {
  const step = task.stepDays * DAY_MS;
  const period = (last: number): number[] =>
    Array.from({ length: testCount }, (_, index) => last - (testCount - 1 - index) * step);
  const testCutoffs = period(when.lastTest);
  const testStart = testCutoffs[0] ?? when.lastTest;
  const calibrationCutoffs = period(testStart - Math.ceil(horizonMs(task) / step) * step);
  const calibrationStart = calibrationCutoffs[0] ?? testStart;
  return {
    calibration: planStage(task, calibrationStart, when.firstOrderAt),
    calibrationCutoffs,
    evaluation: planStage(task, testStart, when.firstOrderAt),
    testCutoffs,
    judgedAt: when.judgedAt,
  };
}

/** How long before the end of what is known the latest training cutoff lies: whole steps. */
function trainingGap(task: ModelTask): number {
  const step = task.stepDays * DAY_MS;
  return (
    Math.ceil((Math.min(task.minimumObserved, task.intervals) * task.intervalMs) / step) * step
  );
}

/** The training cutoffs of someone who stands at `knownBefore`: a step apart, on the grid that ends there. */
export function planStage(task: ModelTask, knownBefore: number, firstOrderAt: number): Stage {
  const step = task.stepDays * DAY_MS;
  const earliest = firstOrderAt + MINIMUM_HISTORY_DAYS * DAY_MS;
  const training: number[] = [];
  for (
    let cutoff = knownBefore - trainingGap(task);
    cutoff >= earliest && training.length < task.maximumCutoffs;
    cutoff -= step
  ) {
    training.unshift(cutoff);
  }
  return { knownBefore, training };
}
