/** Customers: who it was. Every identifier belongs to one customer; consent is kept per purpose. */
export { accessPerson } from "./access-store.ts";
export type { Consent } from "./consent-store.ts";
export { type Customer, countCustomers, findCustomer, listCustomers } from "./customer-store.ts";
export {
  ERASURE_STEPS,
  type ErasureOptions,
  type ErasurePreview,
  type ErasureStep,
  erasePerson,
  previewErasure,
  resumeErasures,
} from "./erase-store.ts";
export { type Erasure, listErasures, pendingErasures, readReceipt } from "./erasure-store.ts";
export type { Identifier } from "./identity-rules.ts";
export { type Receipt, type SignedReceipt, verifyReceipt } from "./receipt.ts";
export { createLiveResolver, type Resolution, resolveCustomers } from "./resolve-store.ts";
export { identitySql, resolvedLinesSql } from "./snapshot-store.ts";
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
