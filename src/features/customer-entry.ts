import { DAY_MS } from "../base/index.ts";
import { type CustomerLine, compareLines } from "../customers/index.ts";
import { type Fact, type FactKind, LOOKBACK_DAYS } from "./fact.ts";
import { type FactReader, isGoods, isRefund } from "./line-facts.ts";
import type { MadeRelation } from "./made-relation.ts";

/** A customer's facts in order of time, and what was made of them. */
export interface KnownFacts {
  readonly facts: readonly Fact[];
  /** Rows by relation, which any instant shares at which these same facts are seen; empty where it sees others. */
  madeAt(cutoff: number): Map<string, MadeRelation>;
}

const LOOKBACK_MS = LOOKBACK_DAYS * DAY_MS;

/** One customer's facts, which grow by each line that is taken to the customer. */
export class CustomerEntry implements KnownFacts {
  /** When each of the customer's identifiers was known to be the customer's. */
  readonly linkedAt: ReadonlyMap<number, number>;
  readonly #read: FactReader;
  readonly #goods: CustomerLine[];
  #facts: Fact[];
  #since: number;
  #seenFrom = 0;
  #seenUntil = Number.POSITIVE_INFINITY;
  readonly #made = new Map<string, MadeRelation>();

  /** From the customer's lines: all of orders and refunds, and the others since an instant (inclusive). */
  constructor(
    linkedAt: ReadonlyMap<number, number>,
    since: number,
    lines: readonly CustomerLine[],
    read: FactReader,
  ) {
    this.linkedAt = linkedAt;
    this.#read = read;
    this.#goods = lines.filter(isGoods);
    this.#facts = read(lines);
    this.#since = since;
    this.#bound();
  }

  get facts(): readonly Fact[] {
    return this.#facts;
  }

  /** Whether everything that an instant can see is here. */
  reaches(cutoff: number): boolean {
    return this.#since <= cutoff - LOOKBACK_MS;
  }

  madeAt(cutoff: number): Map<string, MadeRelation> {
    if (cutoff > this.#seenUntil) {
      this.#forgetBefore(cutoff - LOOKBACK_MS);
    }
    const isShared = cutoff > this.#seenFrom && cutoff <= this.#seenUntil;
    return isShared ? this.#made : new Map<string, MadeRelation>();
  }

  /** Takes in a line that came after all that are here. */
  add(line: CustomerLine): void {
    if (!isGoods(line)) {
      this.#addFacts(this.#read([line]));
      return;
    }
    this.#goods.push(line);
    if (this.#goods.some(isRefund)) {
      this.#goods.sort(compareLines);
      this.#replaceGoods(this.#read(this.#goods));
    } else {
      this.#addFacts(this.#read([line]));
    }
  }

  #addFacts(added: readonly Fact[]): void {
    for (const fact of added) {
      const place = this.#facts.findLastIndex((one) => one.at_ms <= fact.at_ms) + 1;
      const isLast = place === this.#facts.length && fact.at_ms >= this.#since;
      this.#facts.splice(place, 0, fact);
      for (const [name, made] of this.#made) {
        if (made.relation.kinds.includes(fact.kind) && !(isLast && made.add(fact))) {
          this.#made.delete(name);
        }
      }
      this.#see(fact);
    }
  }

  /** A refund changes what it takes back, or finds it only now. */
  #replaceGoods(goods: readonly Fact[]): void {
    this.#facts = this.#facts
      .filter(({ kind }) => !isGoodsKind(kind))
      .concat(goods)
      .sort((a, b) => a.at_ms - b.at_ms);
    this.#forgetRows(isGoodsKind);
    this.#bound();
  }

  #forgetBefore(since: number): void {
    const gone = new Set(this.#facts.filter(({ at_ms }) => at_ms < since).map(({ kind }) => kind));
    this.#facts = this.#facts.filter(({ kind, at_ms }) => at_ms >= since || isGoodsKind(kind));
    this.#since = Math.max(this.#since, since);
    this.#forgetRows((kind) => gone.has(kind));
    this.#bound();
  }

  #forgetRows(isChanged: (kind: FactKind) => boolean): void {
    for (const [name, { relation }] of this.#made) {
      if (relation.kinds.some(isChanged)) {
        this.#made.delete(name);
      }
    }
  }

  #bound(): void {
    this.#seenFrom = 0;
    this.#seenUntil = Number.POSITIVE_INFINITY;
    for (const fact of this.#facts) {
      this.#see(fact);
    }
  }

  #see({ at_ms, known_at_ms }: Fact): void {
    this.#seenFrom = Math.max(this.#seenFrom, at_ms, known_at_ms);
    if (at_ms >= this.#since) {
      this.#seenUntil = Math.min(this.#seenUntil, at_ms + LOOKBACK_MS);
    }
  }
}

function isGoodsKind(kind: FactKind): boolean {
  return kind === "order" || kind === "refund";
}
