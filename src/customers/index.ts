/** Customers: who it was. Every identifier belongs to one customer; consent is kept per purpose. */
export {
  type Consent,
  type Customer,
  countCustomers,
  findCustomer,
  IDENTIFIER_TYPES,
  type Identifier,
  type IdentifierType,
  identitySql,
  listCustomers,
  type Resolution,
  resolveCustomers,
} from "./customer-store.ts";
export {
  type Decision,
  DUPLICATE_STATUSES,
  type Duplicate,
  type DuplicateStatus,
  decideDuplicate,
  getDuplicate,
  type Joining,
  listDuplicates,
  type SearchOptions,
  type SearchReport,
  searchDuplicates,
  unwiredJoining,
} from "./duplicate-store.ts";
export type { Explanation } from "./duplicates/explain.ts";
export { PERSON_FIELDS, type PersonField } from "./duplicates/fields.ts";
export { type Found, findDuplicates } from "./duplicates/find-store.ts";
export { type PersonRecord, personOfIdentifier } from "./person-store.ts";
