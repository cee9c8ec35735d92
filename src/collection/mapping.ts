import { readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, ServiceError } from "../base/index.ts";

/** A test on one column of the source row. */
const condition = z
  .strictObject({
    column: z.string().min(1),
    equals: z.string().optional(),
    oneOf: z.array(z.string()).min(1).optional(),
    startsWith: z.string().min(1).optional(),
    matches: z.string().min(1).optional(),
    lessThan: z.number().optional(),
    greaterThan: z.number().optional(),
    isMissing: z.boolean().optional(),
  })
  .refine((value) => Object.keys(value).length === 2, "expected a column and exactly one test");

const column = z.strictObject({ column: z.string().min(1) });
const constant = z.strictObject({ value: z.string() });
const textField = z.union([
  z
    .string()
    .min(1)
    .transform((name) => ({ column: name })),
  column,
  constant,
]);
const numberField = z.union([
  z
    .string()
    .min(1)
    .transform((name) => ({ column: name, absolute: false })),
  z.strictObject({ column: z.string().min(1), absolute: z.boolean().default(false) }),
]);

/** Times: text with its own zone, text in a named zone, text in a stated format, or an epoch number. */
const timeField = z.strictObject({
  column: z.string().min(1),
  zone: z.string().min(1).optional(),
  format: z.string().min(1).optional(),
  epoch: z.enum(["seconds", "milliseconds", "microseconds"]).optional(),
});

const eventRules = z
  .array(z.strictObject({ when: condition.optional(), name: z.string().min(1) }))
  .min(1);
const eventColumn = z.strictObject({
  column: z.string().min(1),
  names: z.record(z.string(), z.string()).default({}),
});

const products = z.strictObject({
  pattern: z.string().default("^.+$"),
  group: z
    .strictObject({
      case: z.enum(["upper", "lower", "keep"]).default("keep"),
      pattern: z.string().default("^(.*)$"),
    })
    .default({ case: "keep", pattern: "^(.*)$" }),
});

/** All ids are products, each its own group: where no mapping of a source says otherwise. */
export const EVERY_PRODUCT: z.infer<typeof products> = products.parse({});

const mappingSchema = z.strictObject({
  source: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "expected lower-case letters, digits, - and _"),
  description: z.string().optional(),
  event: z.union([eventRules, eventColumn]),
  knownAt: z.union([z.enum(["occurredAt", "now"]), timeField]).default("now"),
  missing: z.array(z.string()).default([]),
  fields: z.strictObject({
    messageId: textField.optional(),
    occurredAt: timeField,
    userId: textField.optional(),
    anonymousId: textField.optional(),
    orderId: textField.optional(),
    productId: textField.optional(),
    productName: textField.optional(),
    quantity: numberField.optional(),
    price: numberField.optional(),
    currency: textField.optional(),
  }),
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
export type Condition = z.infer<typeof condition>;
export type TextField = z.infer<typeof textField>;
export type NumberField = z.infer<typeof numberField>;
export type TimeField = z.infer<typeof timeField>;

/** A mapping from parsed JSON. Throws a ServiceError that names the field and what was expected. */
export function parseMapping(value: unknown, name = "mapping"): Mapping {
  const parsed = mappingSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? name : issue.path.join(".");
    throw new ServiceError(
      "invalid-input",
      `${name}: ${field}: ${issue?.message ?? "not a mapping"}`,
      {
        field,
      },
    );
  }
  return parsed.data;
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
  try {
    return parseMapping(JSON.parse(readFileSync(file, "utf8")), file);
  } catch (error) {
    if (error instanceof ServiceError) {
      throw error;
    }
    throw new ServiceError("invalid-input", `mapping: cannot read ${file}: ${messageOf(error)}`, {
      field: "mapping",
      cause: error,
    });
  }
}

/** Every source column a mapping names, with the mapping field that names it. */
export function mappedColumns(mapping: Mapping): Map<string, string> {
  const columns = new Map<string, string>();
  for (const [field, spec] of Object.entries(mapping.fields)) {
    if (spec !== undefined && "column" in spec) {
      columns.set(spec.column, `fields.${field}`);
    }
  }
  if (Array.isArray(mapping.event)) {
    for (const rule of mapping.event) {
      if (rule.when !== undefined && !columns.has(rule.when.column)) {
        columns.set(rule.when.column, "event");
      }
    }
  } else {
    columns.set(mapping.event.column, "event");
  }
  if (typeof mapping.knownAt === "object") {
    columns.set(mapping.knownAt.column, "knownAt");
  }
  return columns;
}
