import {
  type Clock,
  type Logger,
  messageOf,
  type Problems,
  type Store,
  toIso,
} from "../base/index.ts";
import { servingAsOf } from "../collection/index.ts";
import {
  type Identifier,
  openOwners,
  openProfilingDenials,
  refuseProfilingDenied,
  type TakenLines,
} from "../customers/index.ts";
import type { OnlineStore } from "../features/index.ts";
import {
  type IntentAnswer,
  isProbability,
  noProbability,
  type OneIntent,
} from "../models/index.ts";
import type { Freshness } from "./prediction-store.ts";
import { openServingIntent } from "./serving-intent.ts";

export interface LiveIntentContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly online: OnlineStore;
  readonly modelsFolder: string;
  /** Hears of a damaged champion. */
  readonly problems?: Problems;
}

/** What the champion says of a customer now. */
export interface LiveIntentAnswer extends Freshness, IntentAnswer {
  readonly system: string;
}

/** Why, and what would change it. */
export interface LiveIntentDetail extends LiveIntentAnswer {
  readonly reasons: ReturnType<OneIntent["explain"]> | null;
  /** The probability of the main horizon, should nothing more happen for so long. */
  readonly ifNothingHappens: readonly { readonly hours: number; readonly probability: number }[];
}

/** A visitor whose probability rose across a threshold with an event. */
export interface Crossing {
  readonly customerId: number;
  /** By which a shop's pages know the visitor: user ids, then anonymous ids, of each the latest first, at most 20. */
  readonly identifiers: readonly Identifier[];
  readonly probability: number;
  readonly percentile: number | null;
  readonly asOf: string;
  readonly modelVersion: string;
}

export interface Subscription {
  /** From this probability of the main horizon on. */
  readonly threshold: number;
  /** Only people who agreed to it are told of; unknown is no. */
  readonly purpose: string;
  readonly tell: (crossing: Crossing) => void;
}

/** Intent in the serving process: one row at a time, no tensor library. */
export interface LiveIntent {
  /**
   * Throws `not-ready` before the first training and where every version is damaged, `conflict` where the champion reads
   * other features, `forbidden` where the person denied being analysed.
   */
  answer(customerId: number): LiveIntentAnswer;
  explain(customerId: number, reasonsMax: number): LiveIntentDetail;
  /** Tells of crossings until the returned function is called. Throws as `answer` does, since then none would come. */
  subscribe(subscription: Subscription): () => void;
  /** Tells of lines that were taken to their customers, after they were. */
  readonly take: (taken: TakenLines) => void;
}

const IF_NOTHING_HOURS = [1, 24];
const HOUR_MS = 3_600_000;

/** So many visitors' last probabilities are remembered, to tell a crossing from a stay. */
const REMEMBERED_MAX = 100_000;

/**
 * Opens intent over a store; the champion is loaded on first use and when another one serves. While its files are
 * damaged, the version before it answers.
 */
export function openLiveIntent(context: LiveIntentContext): LiveIntent {
  const { store, clock, online } = context;
  const champion = openServingIntent(context);
  const owners = openOwners(store);
  const isDenied = openProfilingDenials(store);
  const listeners = new Set<Subscription>();
  const last = new Map<number, number>();
  const rowAt = (customerId: number, at: number): readonly (number | null)[] =>
    online.readAt(champion().service, customerId, at).rows[0] ?? [];
  const answerOf = (row: readonly (number | null)[], at: number): LiveIntentAnswer => {
    const { model, system, id } = champion();
    const answer = model.answer(row);
    if (!answer.horizons.every((one) => isProbability(one.probability))) {
      throw noProbability("conversion-intent", id);
    }
    const asOf = toIso(at);
    return {
      ...answer,
      system,
      modelVersion: id,
      asOf,
      dataThrough: asOf,
      computedAt: toIso(clock.now()),
    };
  };
  const answerAt = (customerId: number, at: number): LiveIntentAnswer =>
    answerOf(rowAt(customerId, at), at);
  const tell = (customerId: number): void => {
    if (isDenied(customerId)) {
      last.delete(customerId);
      return;
    }
    const answer = answerAt(customerId, servingAsOf(store, clock));
    const before = last.get(customerId) ?? 0;
    last.delete(customerId);
    last.set(customerId, answer.probability);
    if (last.size > REMEMBERED_MAX) {
      last.delete(last.keys().next().value ?? 0);
    }
    if (answer.isBot) {
      return;
    }
    const { probability, percentile, asOf, modelVersion } = answer;
    for (const { threshold, purpose, tell: listener } of listeners) {
      if (
        before < threshold &&
        probability >= threshold &&
        owners.mayBeAddressed(customerId, purpose)
      ) {
        const identifiers = owners.idsOf(customerId);
        listener({ customerId, identifiers, probability, percentile, asOf, modelVersion });
      }
    }
  };
  return {
    answer: (customerId) => {
      refuseProfilingDenied(store, customerId);
      return answerAt(customerId, servingAsOf(store, clock));
    },
    explain: (customerId, reasonsMax) => {
      refuseProfilingDenied(store, customerId);
      const at = servingAsOf(store, clock);
      const row = rowAt(customerId, at);
      return {
        ...answerOf(row, at),
        reasons: champion().model.explain(row, reasonsMax) ?? null,
        ifNothingHappens: IF_NOTHING_HOURS.map((hours) => ({
          hours,
          probability: answerAt(customerId, at + hours * HOUR_MS).probability,
        })),
      };
    },
    subscribe: (subscription) => {
      champion();
      listeners.add(subscription);
      return () => {
        listeners.delete(subscription);
      };
    },
    take: ({ lines }) => {
      if (listeners.size === 0) {
        return;
      }
      try {
        const touched = new Set(lines.map(({ identifierId }) => owners.ownerOf(identifierId)));
        for (const customerId of touched) {
          if (customerId !== undefined) {
            tell(customerId);
          }
        }
      } catch (error) {
        // Who listens is not who sends: an event is taken in whatever comes of its score.
        context.logger.error({ reason: messageOf(error) }, "crossings not told");
      }
    },
  };
}
