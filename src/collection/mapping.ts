import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, ServiceError } from "../base/index.ts";
import {
  columnsOf,
  conditionSchema,
  decimalSchema,
  eventSchema,
  type Fields,
  fieldsSchema,
  groupSchema,
  knownAtSchema,
  linesSchema,
  regionSchema,
} from "./mapping-fields.ts";

const products = z.strictObject({
  pattern: z.string().default("^.+$"),
  group: z
    .strictObject({
      case: z.enum(["upper", "lower", "keep"]).default("keep"),
      pattern: z.string().default("^(.*)$"),
    })
    .default({ case: "keep", pattern: "^(.*)$" }),
  /** What is bought again: the product, or any of its category (the product where a line names none). */
  grain: z.enum(["product", "category"]).default("product"),
});

/** All ids are products, each its own group: where no mapping of a source says otherwise. */
export const EVERY_PRODUCT: z.infer<typeof products> = products.parse({});

/** One kind of event that a row can yield. */
const partShape = {
  type: z.enum(["track", "identify"]).optional(),
  event: eventSchema.optional(),
  where: z.array(conditionSchema).min(1).optional(),
  lines: linesSchema.optional(),
  groupBy: groupSchema.optional(),
  knownAt: knownAtSchema.default("now"),
  missing: z.array(z.string()).default([]),
  decimal: decimalSchema,
  fields: fieldsSchema,
};
const partSchema = z.strictObject(partShape);

const mappingSchema = z.strictObject({
  source: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "expected lower-case letters, digits, - and _"),
  description: z.string().optional(),
  ...partShape,
  /** Further events of the same rows: what differs from the above, null to leave something out. */
  also: z.array(z.record(z.string(), z.unknown())).max(63).optional(),
  /** Columns that not every file of this kind has. */
  optional: z.array(z.string().min(1)).optional(),
  /** Where phone numbers without a country code belong: ISO 3166-1 alpha-2. */
  region: regionSchema.optional(),
  /** Which ids are products, and what counts as the same product; the source's last word unless given. */
  products: products.optional(),
  /** How a refund without a link finds what it refunds. */
  refunds: z.enum(["latest-purchase", "same-order"]).default("latest-purchase"),
  /** What the operator states that every person of this source has agreed to, and on which basis. */
  consent: z
    .strictObject({
      basis: z.string().min(1),
      purposes: z.array(z.enum(["advertising", "personalisation", "analytics"])).min(1),
    })
    .optional(),
});

export type Mapping = z.infer<typeof mappingSchema>;
export type Part = z.infer<typeof partSchema>;

/** A mapping from parsed JSON. Throws a ServiceError that names the field and what was expected. */
export function parseMapping(value: unknown, name = "mapping"): Mapping {
  const mapping = checked(mappingSchema, value, name, "");
  partsOf(mapping, name);
  return mapping;
}

/** The kinds of events that a mapping's rows yield, the first as the mapping says it, then `also`. */
export function partsOf(mapping: Mapping, name = "mapping"): readonly [Part, ...Part[]] {
  const main = Object.fromEntries(
    Object.keys(partShape).map((key) => [key, mapping[key as keyof Part]]),
  );
  const shared = { ...main, where: undefined, lines: undefined, groupBy: undefined };
  const parts: [Part, ...Part[]] = [refuseGaps(checked(partSchema, main, name, ""), name, "")];
  for (const [index, also] of (mapping.also ?? []).entries()) {
    const path = `also.${index}.`;
    const merged = {
      ...shared,
      ...withoutNulls(also),
      fields: withoutNulls({ ...mapping.fields, ...(also["fields"] as object | undefined) }),
    };
    parts.push(refuseGaps(checked(partSchema, merged, name, path), name, path));
  }
  return parts;
}

function withoutNulls(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function checked<T>(schema: z.ZodType<T>, value: unknown, name: string, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  const inner = issue === undefined || issue.path.length === 0 ? "mapping" : issue.path.join(".");
  return refuse(name, `${path}${inner}`, issue?.message ?? "not a mapping");
}

function refuse(name: string, field: string, reason: string): never {
  const where = name === field ? name : `${name}: ${field}`;
  throw new ServiceError("invalid-input", `${where}: ${reason}`, { field });
}

/** What a kind of event can't do without. */
function refuseGaps(part: Part, name: string, path: string): Part {
  const { type, event, knownAt, lines, groupBy, fields } = part;
  const isIdentify = type === "identify";
  if (!isIdentify && event === undefined) {
    refuse(name, `${path}event`, 'expected a list of rules or a column (or "type": "identify")');
  }
  if (!isIdentify && fields.occurredAt === undefined) {
    refuse(name, `${path}fields.occurredAt`, 'expected a time, or "knownAt"');
  }
  if (typeof fields.occurredAt !== "object" && knownAt === "occurredAt") {
    refuse(name, `${path}knownAt`, 'expected "now" or a time, as fields.occurredAt gives none');
  }
  if ((lines !== undefined || groupBy !== undefined) && fields.messageId === undefined) {
    refuse(
      name,
      `${path}fields.messageId`,
      "expected one, by which the lines of an event belong together",
    );
  }
  if (lines !== undefined && groupBy !== undefined) {
    refuse(name, `${path}groupBy`, "expected either lines or groupBy");
  }
  return part;
}

/** The mapping of a source that sends Segment events: product ids as they are, nothing agreed to. */
export function segmentMapping(source: string): Mapping {
  return parseMapping(
    {
      source,
      event: { column: "event" },
      fields: {
        messageId: "messageId",
        occurredAt: { column: "timestamp" },
        userId: "userId",
        anonymousId: "anonymousId",
        orderId: "properties.order_id",
        productId: "properties.product_id",
        productName: "properties.name",
        quantity: "properties.quantity",
        price: "properties.price",
        currency: "properties.currency",
      },
    },
    "source",
  );
}

/** Reads a mapping file (JSON). */
export function readMapping(file: string): Mapping {
  return parseMapping(readMappingText(file), file);
}

/** A mapping file's JSON as it stands. Throws a ServiceError where it is no JSON object. */
export function readMappingText(file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = existsSync(file)
      ? `cannot read ${file}: ${messageOf(error)}`
      : `there is no file ${file}`;
    throw new ServiceError("invalid-input", `mapping: ${reason}`, {
      field: "mapping",
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(file, "mapping", "expected a JSON object");
  }
  return value;
}

/** Every source column a part names, with the mapping field that names it first. */
export function mappedColumns(part: Part): Map<string, string> {
  const columns = new Map<string, string>();
  const add = (field: string, spec: object | string | undefined): void => {
    for (const column of typeof spec === "object" ? columnsOf(spec) : []) {
      if (!columns.has(column)) {
        columns.set(column, field);
      }
    }
  };
  for (const [field, spec] of fieldSpecs(part.fields)) {
    add(`fields.${field}`, spec);
  }
  const rules = Array.isArray(part.event) ? part.event : [];
  for (const rule of rules) {
    add("event", rule.when);
  }
  add("event", Array.isArray(part.event) ? undefined : part.event);
  add("knownAt", part.knownAt);
  for (const condition of part.where ?? []) {
    add("where", condition);
  }
  add("groupBy", part.groupBy);
  for (const column of part.groupBy?.fill ?? []) {
    add("groupBy.fill", { column });
  }
  return columns;
}

/** Every field that names columns, those of identifiers, traits and consent with their path. */
export function fieldSpecs(fields: Fields): [string, object][] {
  const { identifiers = {}, traits = {}, consent = {}, ...single } = fields;
  const entries: [string, unknown][] = [
    ...Object.entries(single),
    ...Object.entries(identifiers).flatMap(([type, specs]) =>
      specs.map((spec): [string, unknown] => [`identifiers.${type}`, spec]),
    ),
    ...Object.entries(traits).map(([trait, spec]): [string, unknown] => [`traits.${trait}`, spec]),
    ...Object.entries(consent).map(([name, spec]): [string, unknown] => [`consent.${name}`, spec]),
  ];
  return entries.filter((entry): entry is [string, object] => typeof entry[1] === "object");
}
