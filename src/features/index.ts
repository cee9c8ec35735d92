/** Features: what we knew, and when. Declared once in views/, computed at any cutoff. */
export { type CatalogueEntry, featureCatalogue, featuresNamed } from "./catalogue.ts";
export { type FeatureService, intentService, repurchaseService } from "./feature-service.ts";
export type { Label, Spine } from "./offline-sql.ts";
export {
  type BuildRequest,
  hasBrowsing,
  type OfflineStore,
  openOfflineStore,
} from "./offline-store.ts";
