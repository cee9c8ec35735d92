import { literal, type Store } from "../base/index.ts";
import { EVERY_PRODUCT, parseMapping, sourceMappings } from "../collection/index.ts";

/** What a source's mapping says of its products: which ids are any, and what group they are of. */
export interface ProductRule {
  readonly source: string;
  readonly pattern: string;
  readonly groupPattern: string;
  readonly groupCase: "upper" | "lower" | "keep";
  /** With `category`, a line's category stands for the product. */
  readonly grain: "product" | "category";
}

/** The product rules of every source. */
export function productRules(store: Store): ProductRule[] {
  return [...sourceMappings(store)].map(([source, json]) => {
    const products = parseMapping(JSON.parse(json)).products ?? EVERY_PRODUCT;
    return {
      source,
      pattern: products.pattern,
      groupPattern: products.group.pattern,
      groupCase: products.group.case,
      grain: products.grain,
    };
  });
}

/** A product's group by its source's rule, as SQL over `source` and `product_id`; NULL where the id is no product. */
export function productGroupSql(rules: readonly ProductRule[]): string {
  const cases = rules.map((rule) => {
    const matched = `regexp_extract(product_id, ${literal(rule.groupPattern)}, 1)`;
    const group = `CASE WHEN ${matched} = '' THEN product_id ELSE ${matched} END`;
    const cased = rule.groupCase === "keep" ? group : `${rule.groupCase}(${group})`;
    return `WHEN source = ${literal(rule.source)} AND regexp_matches(product_id, ${literal(rule.pattern)}) THEN ${cased}`;
  });
  return cases.length === 0 ? "CAST(NULL AS VARCHAR)" : `CASE ${cases.join(" ")} END`;
}

/** Whether a source's category stands for the product, as SQL over `source`. */
export function isCategoryGrainSql(rules: readonly ProductRule[]): string {
  const sources = rules.filter(({ grain }) => grain === "category").map(({ source }) => source);
  return sources.length === 0 ? "false" : `source IN (${sources.map(literal).join(", ")})`;
}

const CASES = {
  keep: (text: string) => text,
  lower: (text: string) => text.toLowerCase(),
  upper: (text: string) => text.toUpperCase(),
} as const;

const GROUPS_KEPT = 100_000;

/** The same in memory. */
export function productGrouper(
  rules: readonly ProductRule[],
): (source: string, productId: string, category: string | null) => string | null {
  const prepared = new Map(
    rules.map(({ source, pattern, groupPattern, groupCase }) => [
      source,
      { isProduct: new RegExp(pattern), group: new RegExp(groupPattern), cased: CASES[groupCase] },
    ]),
  );
  const byCategory = new Set(
    rules.filter(({ grain }) => grain === "category").map(({ source }) => source),
  );
  const known = new Map<string, Map<string, string | null>>();
  const productOf = (source: string, productId: string): string | null => {
    const groups = known.get(source) ?? new Map<string, string | null>();
    known.set(source, groups);
    const before = groups.get(productId);
    if (before !== undefined) {
      return before;
    }
    const group = groupOf(source, productId);
    if (groups.size >= GROUPS_KEPT) {
      groups.clear();
    }
    groups.set(productId, group);
    return group;
  };
  return (source, productId, category) => {
    const group = productOf(source, productId);
    return group !== null && byCategory.has(source) ? (category ?? group) : group;
  };
  function groupOf(source: string, productId: string): string | null {
    const rule = prepared.get(source);
    if (rule?.isProduct.test(productId) !== true) {
      return null;
    }
    const matched = rule.group.exec(productId)?.[1] ?? "";
    return rule.cased(matched === "" ? productId : matched);
  }
}
