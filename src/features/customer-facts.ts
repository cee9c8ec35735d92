import { DAY_MS, type Store } from "../base/index.ts";
import { resolvedThrough } from "../collection/index.ts";
import {
  type CustomerLine,
  openCustomerLines,
  type TakenLine,
  type TakenLines,
} from "../customers/index.ts";
import { CustomerEntry, type KnownFacts } from "./customer-entry.ts";
import { LOOKBACK_DAYS } from "./fact.ts";
import { createFactReader, type FactReader } from "./line-facts.ts";

/** The facts of customers, kept at hand for those who are asked for again. */
export interface CustomerFacts {
  /** A customer's facts that an instant (epoch ms) can see. */
  of(customerId: number, cutoff: number): KnownFacts;
  /** Tells of live lines that were taken to their customers, after they were. */
  readonly take: (taken: TakenLines) => void;
}

/** So many facts stay at hand, of the customers asked for last. */
const FACTS_KEPT = 300_000;
const NOBODY = -1;

/** The facts of a store's customers. */
export function openCustomerFacts(store: Store): CustomerFacts {
  const linesOf = openCustomerLines(store);
  const identifiers = store.sqlite
    .prepare<[number], [number, number]>(
      "SELECT id, linked_at FROM identifier WHERE customer_id = ? ORDER BY id",
    )
    .raw();
  const state = openState(store);
  const entries = new Map<number, CustomerEntry>();
  const customers = new Map<number, number>();
  const sizes = new Map<number, number>();
  let kept = 0;
  let stamp = "";
  let toldThrough = -1;
  let factsOf: FactReader = () => [];

  const forget = (customerId: number): void => {
    const entry = entries.get(customerId);
    if (entry !== undefined) {
      entries.delete(customerId);
      kept -= sizes.get(customerId) ?? 0;
      sizes.delete(customerId);
      for (const id of entry.linkedAt.keys()) {
        customers.delete(id);
      }
    }
  };
  const weigh = (customerId: number, { facts }: CustomerEntry): void => {
    kept += facts.length - (sizes.get(customerId) ?? 0);
    sizes.set(customerId, facts.length);
  };
  const keep = (customerId: number, entry: CustomerEntry): void => {
    forget(customerId);
    for (const id of entry.linkedAt.keys()) {
      // Who had the identifier before hears of nothing more by it.
      forget(customers.get(id) ?? customerId);
    }
    entries.set(customerId, entry);
    weigh(customerId, entry);
    for (const id of entry.linkedAt.keys()) {
      customers.set(id, customerId);
    }
    for (const [oldest] of entries) {
      if (kept <= FACTS_KEPT || oldest === customerId) {
        break;
      }
      forget(oldest);
    }
  };
  return {
    of: (customerId, cutoff) => {
      const now = state();
      const through = resolvedThrough(store.sqlite);
      // Lines that were resolved without telling are only in the store.
      if (now !== stamp || through !== toldThrough) {
        stamp = now;
        toldThrough = through;
        entries.clear();
        customers.clear();
        sizes.clear();
        kept = 0;
        factsOf = createFactReader(store);
      }
      const named = identifiers.all(customerId);
      const known = entries.get(customerId);
      if (known !== undefined && isSame(known.linkedAt, named) && known.reaches(cutoff)) {
        entries.delete(customerId);
        entries.set(customerId, known);
        return known;
      }
      const since = cutoff - LOOKBACK_DAYS * DAY_MS;
      const lines = linesOf(customerId, since);
      const entry = new CustomerEntry(new Map(named), since, lines, factsOf);
      keep(customerId, entry);
      return entry;
    },
    take: ({ after, through, lines }) => {
      if (after !== toldThrough) {
        return;
      }
      toldThrough = through;
      for (const { identifierId, line } of lines) {
        const customerId = customers.get(identifierId) ?? NOBODY;
        const entry = entries.get(customerId);
        if (entry !== undefined) {
          entry.add(knownLine(line, entry.linkedAt.get(identifierId) ?? 0));
          weigh(customerId, entry);
        }
      }
    },
  };
}

function isSame(
  linkedAt: ReadonlyMap<number, number>,
  named: readonly (readonly [number, number])[],
): boolean {
  return named.length === linkedAt.size && named.every(([id, at]) => linkedAt.get(id) === at);
}

function knownLine(line: TakenLine["line"], linkedAt: number): CustomerLine {
  const { knownAt } = line;
  return { ...line, knownAt: Math.max(knownAt, linkedAt), lineKnownAt: knownAt };
}

/** What facts at hand rest on besides identifiers: other processes' writes, mappings, and what was removed here. */
function openState({ sqlite }: Store): () => string {
  const read = sqlite
    .prepare<[], string>(
      `SELECT (SELECT count(*) || ' ' || coalesce(max(updated_at), 0) FROM source) || ' ' ||
              (SELECT version FROM tombstone_version) || ' ' || coalesce((SELECT max(updated_at) FROM setting), 0)`,
    )
    .pluck();
  const changes = sqlite.prepare<[], number>("PRAGMA data_version").pluck();
  return () => `${changes.get() ?? 0} ${read.get() ?? ""}`;
}
