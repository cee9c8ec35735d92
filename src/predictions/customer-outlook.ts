import { DAY_MS, ServiceError, type Store, toIso, WEEK_MS } from "../base/index.ts";
import { afterSilence, type Outlook, outlookOf } from "./outlook.ts";
import { type Prediction, type PredictionRun, predictionsOf } from "./prediction-store.ts";

/** What a customer will buy again, of one product, and what follows from it. */
export interface ProductOutlook extends Prediction, Outlook {
  /** Among the customer's products, by P(within four weeks); 1 is first, as probable ones share a rank. */
  readonly rank: number;
}

/** A customer's answers in a run. */
export interface CustomerOutlook {
  /** From when on weeks count, epoch ms: the run's instant, or the end of the silence. */
  readonly from: number;
  /** The most probable percentile first; percentile and facts are as of the run. */
  readonly products: readonly ProductOutlook[];
}

/**
 * A customer's answers as of the run; with `silentUntil` (epoch ms, within the horizon) as of then, should there be no
 * order of the product from the run on: they follow from the run's by the hazard. Throws `invalid-input` where it lies
 * before the run or beyond the horizon.
 */
export function customerOutlook(
  store: Store,
  run: PredictionRun,
  customerId: number,
  silentUntil?: number,
): CustomerOutlook {
  const from = silentUntil ?? run.asOfMs;
  const answers = predictionsOf(store, run.id, customerId).map((prediction) => {
    refuseOutside(run, prediction.probabilities.length - 1, from);
    const days = (from - run.asOfMs) / DAY_MS;
    const probabilities =
      days === 0 ? prediction.probabilities : afterSilence(prediction.probabilities, days);
    return { ...prediction, probabilities, ...outlookOf(probabilities) };
  });
  const products = answers.map((answer) => ({
    ...answer,
    rank: 1 + answers.filter((other) => other.withinFourWeeks > answer.withinFourWeeks).length,
  }));
  return { from, products };
}

function refuseOutside({ asOfMs }: PredictionRun, weeks: number, from: number): void {
  const end = asOfMs + weeks * WEEK_MS;
  if (from < asOfMs || from >= end) {
    throw new ServiceError(
      "invalid-input",
      `silentUntil: expected an instant from ${toIso(asOfMs)} (when it was scored) until ${toIso(end)} (where its horizon ends), got ${toIso(from)}`,
      { field: "silentUntil" },
    );
  }
}
