/** Predictions: what comes next for everybody, stamped with who said it and how fresh it is. */

export { type CustomerOutlook, customerOutlook, type ProductOutlook } from "./customer-outlook.ts";
export {
  type Crossing,
  type LiveIntent,
  openLiveIntent,
} from "./live-intent.ts";
export { afterSilence, type Outlook, outlookOf } from "./outlook.ts";
export {
  currentRun,
  eachPrediction,
  type Facts,
  type Freshness,
  type Prediction,
  type PredictionRun,
  predictionsOf,
} from "./prediction-store.ts";
export { type Reason, reasonsOf } from "./reasons.ts";
export { type Scored, type ScoringContext, scoreAll } from "./score.ts";
