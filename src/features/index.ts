/** Features: what we knew, and when. Declared once in views/, computed at any instant. */

export type { BuildRequest } from "./build.ts";
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
  hasBrowsing,
  type OfflineStore,
  openOfflineStore,
} from "./offline-store.ts";
export { type OnlineStore, type OnlineVectors, openOnlineStore } from "./online-store.ts";
export { type Materialisation, materialisePopulation } from "./population-store.ts";
export type { Label, ModelSpine, Spine } from "./rows-sql.ts";
