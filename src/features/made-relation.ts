import type { Row } from "./condition.ts";
import type { Fact } from "./fact.ts";
import type { FeatureView } from "./feature-view.ts";
import type { Relation } from "./relation.ts";
import { type GrowingViewRows, type ViewRows, viewRows } from "./view-rows.ts";

/** Which of a customer's rows a view is of: those of one product or category. */
export interface Part {
  readonly column: "product" | "category";
  readonly key: string;
}

interface MadeView {
  readonly part: Part | undefined;
  readonly rows: GrowingViewRows;
}

/** A relation's rows of one customer and what its views made of them, which grow together. */
export class MadeRelation {
  readonly relation: Relation;
  readonly #rows: Row[];
  readonly #parts = new Map<Part["column"], Map<string, Row[]>>();
  readonly #views = new Map<string, MadeView>();

  /** From the customer's facts in order of time, as an instant sees them. */
  constructor(relation: Relation, facts: readonly Fact[], cutoff: number) {
    this.relation = relation;
    this.#rows = [...relation.rows(facts, cutoff)];
  }

  /** Counts a fact that happened no earlier than all others; false where the rows have to be made again. */
  add(fact: Fact): boolean {
    const row = this.relation.next?.(fact, this.#rows);
    if (row === undefined) {
      return false;
    }
    this.#rows.push(row);
    for (const [column, parts] of this.#parts) {
      addTo(parts, row, column);
    }
    for (const { part, rows } of this.#views.values()) {
      if (part === undefined || row[part.column] === part.key) {
        rows.add(row);
      }
    }
    return true;
  }

  /** A view's rows, all of the customer's or those of a part; made on first use. */
  view(view: FeatureView, part?: Part): ViewRows {
    const name = part === undefined ? view.name : `${view.name}\n${part.key}`;
    const made = this.#views.get(name) ?? {
      part,
      rows: viewRows(view, this.relation, this.#rowsOf(part)),
    };
    this.#views.set(name, made);
    return made.rows;
  }

  #rowsOf(part: Part | undefined): readonly Row[] {
    if (part === undefined) {
      return this.#rows;
    }
    const { column, key } = part;
    const parts = this.#parts.get(column) ?? this.#partBy(column);
    return parts.get(key) ?? [];
  }

  #partBy(column: Part["column"]): Map<string, Row[]> {
    const parts = new Map<string, Row[]>();
    for (const row of this.#rows) {
      addTo(parts, row, column);
    }
    this.#parts.set(column, parts);
    return parts;
  }
}

function addTo(parts: Map<string, Row[]>, row: Row, column: Part["column"]): void {
  const key = row[column];
  if (typeof key === "string") {
    const part = parts.get(key);
    if (part === undefined) {
      parts.set(key, [row]);
    } else {
      part.push(row);
    }
  }
}
