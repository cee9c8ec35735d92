/** Features: what we knew, and when. Declared once in views/, computed at any instant. */
export { type CatalogueEntry, featureCatalogue, featuresNamed } from "./catalogue.ts";
export {
  FEATURE_SERVICES,
  type FeatureService,
  findService,
  intentService,
  repurchaseService,
  wholeService,
} from "./feature-service.ts";
export { ENTITIES, UNITS } from "./feature-view.ts";
export {
  type BuildRequest,
  hasBrowsing,
  type OfflineStore,
  openOfflineStore,
} from "./offline-store.ts";
export { type OnlineStore, type OnlineVectors, openOnlineStore } from "./online-store.ts";
export { type Materialisation, materialisePopulation } from "./population-store.ts";
export type { Label, ModelSpine, Spine } from "./rows-sql.ts";
export type { SparkEngine } from "./spark-facts-store.ts";
export { buildOnSpark } from "./spark-store.ts";
