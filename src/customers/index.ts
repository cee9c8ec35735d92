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
