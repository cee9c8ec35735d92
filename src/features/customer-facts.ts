import { DAY_MS, type Store } from "../base/index.ts";
import { resolvedThrough } from "../collection/index.ts";
import {
  type CustomerLine,
  openCustomerLines,
  type TakenLine,
  type TakenLines,
} from "../customers/index.ts";
import type { ViewRows } from "./aggregation-values.ts";
import { type Fact, type FactKind, LOOKBACK_DAYS } from "./fact.ts";
import { createFactReader, type FactReader, isGoods } from "./line-facts.ts";

/** A customer's facts in order of time, and what was made of them. */
export interface KnownFacts {
  readonly facts: readonly Fact[];
  /** Rows by view, which any instant shares at which these same facts are seen; empty where it sees others. */
  rowsAt(cutoff: number): Map<string, MadeRows>;
}

/** A view's rows, and the kinds of facts they are made of. */
export interface MadeRows {
  readonly rows: ViewRows;
  readonly kinds: readonly FactKind[];
}

/** The facts of customers, kept at hand for those who are asked for again. */
export interface CustomerFacts {
  /** A customer's facts that an instant (epoch ms) can see. */
  of(customerId: number, cutoff: number): KnownFacts;
  /** Tells of live lines that were taken to their customers, after they were. */
  readonly take: (taken: TakenLines) => void;
}

/** So many facts stay at hand, of the customers asked for last. */
const FACTS_KEPT = 300_000;

class Entry implements KnownFacts {
  readonly key: string;
  readonly since: number;
  readonly linkedAt: ReadonlyMap<number, number>;
  facts: Fact[];
  readonly #rows = new Map<string, MadeRows>();
  #seenFrom = 0;
  #seenUntil = 0;

  constructor(key: string, since: number, linkedAt: ReadonlyMap<number, number>, facts: Fact[]) {
    this.key = key;
    this.since = since;
    this.linkedAt = linkedAt;
    this.facts = facts;
    this.#bound();
  }

  /** Adds facts of one line in the order of time. */
  add(added: readonly Fact[]): void {
    for (const fact of added) {
      const place = this.facts.findLastIndex((one) => one.at_ms <= fact.at_ms) + 1;
      this.facts.splice(place, 0, fact);
    }
    for (const [view, { kinds }] of this.#rows) {
      if (added.some(({ kind }) => kinds.includes(kind))) {
        this.#rows.delete(view);
      }
    }
    this.#bound();
  }

  rowsAt(cutoff: number): Map<string, MadeRows> {
    const isShared = cutoff > this.#seenFrom && cutoff <= this.#seenUntil;
    return isShared ? this.#rows : new Map<string, MadeRows>();
  }

  #bound(): void {
    this.#seenFrom = 0;
    this.#seenUntil = Number.POSITIVE_INFINITY;
    for (const fact of this.facts) {
      this.#seenFrom = Math.max(this.#seenFrom, fact.at_ms, fact.known_at_ms);
      this.#seenUntil = Math.min(this.#seenUntil, fact.at_ms + LOOKBACK_DAYS * DAY_MS);
    }
  }
}

/** The facts of a store's customers. */
export function openCustomerFacts(store: Store): CustomerFacts {
  const linesOf = openCustomerLines(store);
  const identifiers = store.sqlite
    .prepare<[number], [number, number]>(
      "SELECT id, linked_at FROM identifier WHERE customer_id = ? ORDER BY id",
    )
    .raw();
  const state = openState(store);
  const entries = new Map<number, Entry>();
  const customers = new Map<number, number>();
  let kept = 0;
  let stamp = "";
  let toldThrough = -1;
  let factsOf: FactReader = () => [];

  const forget = (customerId: number): void => {
    const entry = entries.get(customerId);
    if (entry !== undefined) {
      entries.delete(customerId);
      kept -= entry.facts.length;
      for (const id of entry.linkedAt.keys()) {
        customers.delete(id);
      }
    }
  };
  const keep = (customerId: number, entry: Entry): void => {
    forget(customerId);
    for (const id of entry.linkedAt.keys()) {
      // Who had the identifier before hears of nothing more by it.
      forget(customers.get(id) ?? customerId);
    }
    entries.set(customerId, entry);
    kept += entry.facts.length;
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
        kept = 0;
        factsOf = createFactReader(store);
      }
      const named = identifiers.all(customerId);
      const key = named.join(" ");
      const since = cutoff - LOOKBACK_DAYS * DAY_MS;
      const known = entries.get(customerId);
      if (known?.key === key && known.since <= since) {
        return known;
      }
      const entry = new Entry(key, since, new Map(named), factsOf(linesOf(customerId, since)));
      keep(customerId, entry);
      return entry;
    },
    take: ({ after, through, lines }) => {
      if (after !== toldThrough) {
        return;
      }
      toldThrough = through;
      for (const { identifierId, line } of lines) {
        const customerId = customers.get(identifierId);
        const entry = customerId === undefined ? undefined : entries.get(customerId);
        if (customerId !== undefined && entry !== undefined) {
          if (isGoods(line)) {
            // What it takes back, or what takes it back, is found among all lines.
            forget(customerId);
          } else {
            const added = factsOf([knownLine(line, entry.linkedAt.get(identifierId) ?? 0)]);
            entry.add(added);
            kept += added.length;
          }
        }
      }
    },
  };
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
