import type { Store } from "../base/index.ts";
import { DEFAULT_RULES, type IdentityRules, parseIdentityRules } from "./identity-rules.ts";

/** The store's identity rules; the defaults where nobody has set any. */
export function readIdentityRules(store: Store): IdentityRules {
  const json = store.sqlite.prepare<[], string>("SELECT rules FROM identity_rules").pluck().get();
  return json === undefined ? DEFAULT_RULES : parseIdentityRules(JSON.parse(json));
}

/** Sets the rules. They count from the next resolution on; `resolveAgain` applies them to what is known. */
export function writeIdentityRules(store: Store, rules: IdentityRules, now: number): void {
  store.sqlite
    .prepare("INSERT OR REPLACE INTO identity_rules VALUES (1, ?, ?)")
    .run(JSON.stringify(rules), now);
}
