/** Customers: who it was. Every identifier belongs to one customer; consent is kept per purpose. */
export type { Consent } from "./consent-store.ts";
export { type Customer, countCustomers, findCustomer, listCustomers } from "./customer-store.ts";
export type { Identifier } from "./identity-rules.ts";
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
