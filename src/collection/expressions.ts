import { literal } from "../base/index.ts";
import type { Mapping, TimeField } from "./mapping.ts";

/** A query that fails where the mapping's regular expression, time zone or time format is no such thing. */
export interface Expression {
  readonly field: string;
  readonly sql: string;
}

/** Every expression of a mapping that the engine has to understand. */
export function expressionsOf(mapping: Mapping): Expression[] {
  const pattern = (field: string, text: string | undefined): Expression[] =>
    text === undefined ? [] : [{ field, sql: `SELECT regexp_matches('', ${literal(text)})` }];
  const rules = Array.isArray(mapping.event) ? mapping.event : [];
  return [
    ...pattern("products.pattern", mapping.products?.pattern),
    ...pattern("products.group.pattern", mapping.products?.group.pattern),
    ...rules.flatMap((rule, index) => pattern(`event.${index}.when.matches`, rule.when?.matches)),
    ...timeExpressions("fields.occurredAt", mapping.fields.occurredAt),
    ...(typeof mapping.knownAt === "object" ? timeExpressions("knownAt", mapping.knownAt) : []),
  ];
}

function timeExpressions(field: string, { zone, format }: TimeField): Expression[] {
  return [
    ...(zone === undefined
      ? []
      : [
          {
            field: `${field}.zone`,
            sql: `SELECT timezone(${literal(zone)}, TIMESTAMP '2020-01-01')`,
          },
        ]),
    ...(format === undefined
      ? []
      : [{ field: `${field}.format`, sql: `SELECT try_strptime('2020', ${literal(format)})` }]),
  ];
}
