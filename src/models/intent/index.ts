/** Conversion intent: who will order within hours or days, as of any event of a visit. */
export { probabilitiesOfRows } from "./batch.ts";
export { figuresOf, outcomesAt } from "./intent-figures.ts";
export { visitTask } from "./intent-task.ts";
export { type IntentSettings, trainIntentNetwork } from "./network.ts";
export {
  type IntentAnswer,
  type IntentReason,
  type OneIntent,
  prepareIntent,
} from "./one-intent.ts";
export { outcomesOf, trainingWeights } from "./rows.ts";
