/** Customers: who it was. Every identifier belongs to one customer; consent is kept per purpose. */
export type { Consent } from "./consent-store.ts";
export { type CustomerLine, compareLines, openCustomerLines } from "./customer-line-store.ts";
export {
  type Customer,
  countCustomers,
  findCustomer,
  findCustomerId,
  identifierTypes,
  knownCustomerNumbers,
  listCustomers,
  openCustomerIds,
  openCustomerNumbers,
  openOwners,
} from "./customer-store.ts";
export type { TakenLine, TakenLines } from "./desk-store.ts";
export {
  type Decision,
  DUPLICATE_STATUSES,
  type Duplicate,
  type DuplicateStatus,
  decideDuplicate,
  getDuplicate,
  listDuplicates,
  type SearchOptions,
  type SearchReport,
  searchDuplicates,
} from "./duplicate-store.ts";
export type { Explanation } from "./duplicates/explain.ts";
export { PERSON_FIELDS, type PersonField } from "./duplicates/fields.ts";
export { type Found, findDuplicates } from "./duplicates/find-store.ts";
export { type Forgotten, forgetOld, knownVisitorsSql } from "./forget-store.ts";
export { type Identifier, type IdentityRules, parseIdentityRules } from "./identity-rules.ts";
export {
  readIdentityRules as identityRules,
  writeIdentityRules as setIdentityRules,
} from "./identity-rules-store.ts";
export { finishResolving } from "./pending-store.ts";
export { type PersonRecord, personOfIdentifier } from "./person-store.ts";
export {
  type EventCount,
  type OrderTotal,
  type Profile,
  type ProfileChannel,
  type ProfileIdentifier,
  type ProfileLimits,
  type ProfileOrder,
  type ProfileTrait,
  readProfile,
  type TimelineLine,
} from "./profile-store.ts";
export {
  consentVersion,
  mayBeAddressedSql,
  noteFilesCleaned,
  openAddressees,
  openProfilingDenials,
  profilingDeniers,
  refuseProfilingDenied,
} from "./purposes-store.ts";
export { type RebuildReport, rebuildDatabase } from "./rebuilding/index.ts";
export { resolveAgain } from "./resolve-again-store.ts";
export {
  createLiveResolver,
  type Resolution,
  resolveCustomers,
  resolveInbox,
  writeIdentity,
} from "./resolve-store.ts";
export { accessPerson } from "./rights/access-store.ts";
export {
  ERASURE_STEPS,
  type ErasureOptions,
  type ErasurePreview,
  type ErasureStep,
  erasePerson,
  previewErasure,
  resumeErasures,
} from "./rights/erase-store.ts";
export {
  type Erasure,
  listErasures,
  pendingErasures,
  readReceipt,
} from "./rights/erasure-store.ts";
export { type Receipt, type SignedReceipt, verifyReceipt } from "./rights/receipt.ts";
export { rectifyPerson } from "./rights/rectify-store.ts";
export { type RestoreRequest, restoreBackup } from "./rights/restore-store.ts";
export { identityFile, identitySql, resolvedLinesSql, snapshotDamage } from "./snapshot-store.ts";
export {
  type CustomerChange,
  customerChanges,
  type EffectPreview,
  joinIdentifiers,
  type Party,
  previewVerdict,
  separateIdentifiers,
  type Verdict,
} from "./unmerge-store.ts";
