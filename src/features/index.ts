/** Features: what we knew, and when. Declared once in views/, computed at any instant. */

export type { BuildRequest } from "./build.ts";
export { type CatalogueEntry, featureCatalogue, featuresNamed } from "./catalogue.ts";
export {
  type Described,
  describeFeatures,
  describeName,
  describeViews,
  type FeatureDescription,
  type FeatureFilter,
  filterFeatures,
} from "./describe.ts";
export {
  type ExportContext,
  type ExportRequest,
  exportFeatures,
  exportHistoricalRows,
  recordBuiltRows,
} from "./export.ts";
export {
  type BuildPurpose,
  type Drift,
  type FeatureBuild,
  listBuilds,
} from "./feature-build-store.ts";
export type { Dictionary } from "./feature-file.ts";
export {
  type FeatureService,
  findService,
  intentService,
  repurchaseService,
  wholeService,
} from "./feature-service.ts";
export { ENTITIES, UNITS } from "./feature-view.ts";
export { type Anchor, type FeatureMatrix, historicalMatrix } from "./historical-matrix.ts";
export {
  type HistoricalRows,
  type HistoricalRowsRequest,
  writeHistoricalRows,
} from "./historical-rows.ts";
export { byName } from "./named-values.ts";
export {
  hasBrowsing,
  type OfflineStore,
  openOfflineStore,
} from "./offline-store.ts";
export { type OnlineStore, type OnlineVectors, openOnlineStore } from "./online-store.ts";
export { type Materialisation, materialisePopulation } from "./population-store.ts";
export type { Label, ModelSpine, Spine } from "./rows-sql.ts";
export type { SparkEngine } from "./spark-facts-store.ts";
export { buildOnSpark } from "./spark-store.ts";
export { parseSpine } from "./spine-text.ts";
export { type MomentRequest, type VisitMoments, visitMoments } from "./visit-moments.ts";
export { isWindow, windowMs } from "./window.ts";
