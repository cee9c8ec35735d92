import { initialSchema } from "./0001-initial.ts";

/** Numbered schema changes, applied once each in this order; a released one is never edited. */
export const migrations: readonly { readonly name: string; readonly sql: string }[] = [
  { name: "0001-initial", sql: initialSchema },
];
