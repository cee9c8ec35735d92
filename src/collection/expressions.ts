import { literal } from "../base/index.ts";
import { type Mapping, type Part, partsOf } from "./mapping.ts";
import type { TimeField } from "./mapping-fields.ts";

/** A query that fails where the mapping's regular expression, time zone or time format is no such thing. */
export interface Expression {
  readonly field: string;
  readonly sql: string;
}

/** Every expression of a mapping that the engine has to understand. */
export function expressionsOf(mapping: Mapping): Expression[] {
  return [
    ...pattern("products.pattern", mapping.products?.pattern),
    ...pattern("products.group.pattern", mapping.products?.group.pattern),
    ...partsOf(mapping).flatMap((part, index) =>
      partExpressions(part, index === 0 ? "" : `also.${index - 1}.`),
    ),
  ];
}

function partExpressions({ event, where, fields, knownAt }: Part, path: string): Expression[] {
  const rules = Array.isArray(event) ? event : [];
  const { occurredAt } = fields;
  return [
    ...rules.flatMap((rule, index) =>
      pattern(`${path}event.${index}.when.matches`, rule.when?.matches),
    ),
    ...(where ?? []).flatMap((one, index) => pattern(`${path}where.${index}.matches`, one.matches)),
    ...(typeof occurredAt === "object"
      ? timeExpressions(`${path}fields.occurredAt`, occurredAt)
      : []),
    ...(typeof knownAt === "object" ? timeExpressions(`${path}knownAt`, knownAt) : []),
  ];
}

function pattern(field: string, text: string | undefined): Expression[] {
  return text === undefined ? [] : [{ field, sql: `SELECT regexp_matches('', ${literal(text)})` }];
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
