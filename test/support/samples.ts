import type { LiveIntent } from "../../src/predictions/index.ts";

/** An address of each endpoint that the test shop answers with 200. */
export const SAMPLES: Readonly<Record<string, string>> = {
  "/v1/features/{name}": "/v1/features/pair_overdue_ratio",
  "/v1/customers/{type}/{id}": "/v1/customers/user_id/jan.jansen",
  "/v1/customers/{type}/{id}/predictions": "/v1/customers/user_id/jan.jansen/predictions",
  "/v1/customers/{type}/{id}/profile": "/v1/customers/user_id/jan.jansen/profile",
  "/v1/customers/{type}/{id}/features": "/v1/customers/user_id/jan.jansen/features",
  "/v1/customers/{type}/{id}/intent": "/v1/customers/user_id/jan.jansen/intent?reasons=1",
  "/v1/intent": "/v1/intent?ids=jan.jansen,nobody",
  "/v1/customers/{type}/{id}/changes": "/v1/customers/user_id/jan.jansen/changes",
  "/v1/duplicates/{id}": "/v1/duplicates/1",
  "/v1/duplicates/{id}/join": "/v1/duplicates/1/join",
  "/v1/duplicates/{id}/separate": "/v1/duplicates/1/separate",
  "/v1/audiences/{name}": "/v1/audiences/retargeting-pool?limit=2",
  "/v1/repurchase/{week}": "/v1/repurchase/2011-W50",
  "/v1/pruning/cut": "/v1/pruning/cut?budget=3",
  "/v1/sources/{source}": "/v1/sources/shop",
  "/v1/models/{model}/versions/{version}": "/v1/models/repurchase-week/versions/repurchase-v1",
};

/** Streams end when their reader does: test/web/intent.test.ts reads them. */
export const STREAMS = ["/v1/intent/stream"];

const ANSWER = {
  modelVersion: "intent-v1",
  asOf: "2011-12-10T00:00:00Z",
  dataThrough: "2011-12-10T00:00:00Z",
  computedAt: "2011-12-10T06:00:00Z",
  system: "network",
  probability: 0.2,
  percentile: 0.9,
  horizons: [{ hours: 24, probability: 0.2 }],
  isBot: false,
};

/** What a model would say; test/web/intent.test.ts has a real one. */
export const INTENT: LiveIntent = {
  answer: () => ANSWER,
  explain: () => ({ ...ANSWER, reasons: null, ifNothingHappens: [{ hours: 1, probability: 0.1 }] }),
  subscribe: () => () => undefined,
  take: () => undefined,
};

/** A call that every posting address accepts. */
export const CALL = {
  userId: "u",
  event: "Cart Viewed",
  groupId: "g",
  previousId: "p",
  type: "track",
};
