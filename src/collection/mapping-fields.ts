import { z } from "zod";
import { CHANNELS, PURPOSES } from "./event.ts";
import { IDENTIFIER_TYPE_PATTERN } from "./identifier.ts";

const name = z.string().min(1);
/** One column, or several of which the first that has something counts. */
const columns = z.union([name, z.array(name).min(1)]);

/** A test on one column of the source row. */
export const conditionSchema = z
  .strictObject({
    column: columns,
    equals: z.string().optional(),
    oneOf: z.array(z.string()).min(1).optional(),
    noneOf: z.array(z.string()).min(1).optional(),
    startsWith: z.string().min(1).optional(),
    matches: z.string().min(1).optional(),
    lessThan: z.number().optional(),
    greaterThan: z.number().optional(),
    isMissing: z.boolean().optional(),
  })
  .refine((value) => Object.keys(value).length === 2, "expected a column and exactly one test");

/** Texts of these columns that mean "nothing", besides those of the whole mapping. */
const missing = z.array(z.string()).min(1).optional();

const constant = z.strictObject({ value: z.string() });

/** A field that one column, or the first of several that has something, gives. */
interface ColumnField {
  column: string | string[];
  prefix?: string | undefined;
  missing?: string[] | undefined;
  region?: string | undefined;
}

/** A column's text, several joined by "-", or a constant; a prefix keeps two kinds of ids apart. */
const textSchema = z.union([
  name.transform((column): ColumnField => ({ column })),
  z.strictObject({ column: columns, prefix: name.optional(), missing }),
  z.strictObject({ join: z.array(name).min(1), prefix: name.optional() }),
  constant,
]);

/** What stands before the fraction of a number in text; with a comma, dots may part the thousands. */
export const decimalSchema = z.enum([".", ","]).optional();

interface ColumnNumber {
  column: string | string[];
  absolute: boolean;
  decimal?: Decimal;
}

const numberSchema = z.union([
  name.transform((column): ColumnNumber => ({ column, absolute: false })),
  z.strictObject({
    column: columns,
    absolute: z.boolean().default(false),
    decimal: decimalSchema,
  }),
]);

/** Times: text with its own zone, text in a named zone, text in a stated format, or an epoch number. */
const timeSchema = z.strictObject({
  column: columns,
  zone: name.optional(),
  format: name.optional(),
  epoch: z.enum(["seconds", "milliseconds", "microseconds"]).optional(),
});

/** A country by ISO 3166-1 alpha-2. */
export const regionSchema = z.string().regex(/^[A-Z]{2}$/, "expected two capitals, such as NL");

const channelSchema = z.union([
  name.transform((column) => ({ column, names: {} })),
  z.strictObject({
    column: columns,
    names: z.record(z.string(), z.enum(CHANNELS)).default({}),
  }),
  z.strictObject({ value: z.enum(CHANNELS) }),
]);

const identifierSchema = z.union([
  name.transform((column): ColumnField => ({ column })),
  z.strictObject({ column: columns, region: regionSchema.optional(), missing }),
]);

const identifiersSchema = z
  .record(
    z
      .string()
      .regex(IDENTIFIER_TYPE_PATTERN, "expected lower-case letters, digits and _")
      .refine(
        (type) => type !== "user_id" && type !== "anonymous_id",
        "fields.userId and fields.anonymousId name these",
      ),
    z.union([identifierSchema.transform((one) => [one]), z.array(identifierSchema).min(1)]),
  )
  .optional();

/** Column values that say yes and no to a purpose; anything else says nothing. */
const statementSchema = z.strictObject({
  column: columns,
  granted: z.array(z.string()).default(["true", "yes", "1"]),
  denied: z.array(z.string()).default(["false", "no", "0"]),
});

const consentSchema = z
  .strictObject({
    ...(Object.fromEntries(
      PURPOSES.map((purpose) => [purpose, statementSchema.optional()]),
    ) as Record<(typeof PURPOSES)[number], z.ZodOptional<typeof statementSchema>>),
    jurisdiction: textSchema.optional(),
  })
  .optional();

const TRAIT_NAME = /^[A-Za-z_][\w]*(\.[A-Za-z_][\w]*)?$/;

/** What an event line is made of; whatever is not named is empty. */
export const fieldsSchema = z.strictObject({
  messageId: textSchema.optional(),
  occurredAt: z.union([timeSchema, z.literal("knownAt")]).optional(),
  userId: textSchema.optional(),
  anonymousId: textSchema.optional(),
  orderId: textSchema.optional(),
  productId: textSchema.optional(),
  productName: textSchema.optional(),
  quantity: numberSchema.optional(),
  price: numberSchema.optional(),
  currency: textSchema.optional(),
  channel: channelSchema.optional(),
  campaign: textSchema.optional(),
  category: textSchema.optional(),
  device: textSchema.optional(),
  cost: numberSchema.optional(),
  identifiers: identifiersSchema,
  traits: z
    .record(z.string().regex(TRAIT_NAME, "expected a name, or two with a dot"), textSchema)
    .optional(),
  consent: consentSchema,
});

const eventRules = z
  .array(z.strictObject({ when: conditionSchema.optional(), name: z.string().min(1) }))
  .min(1);
const eventColumn = z.strictObject({
  column: columns,
  names: z.record(z.string(), z.string()).default({}),
});
export const eventSchema = z.union([eventRules, eventColumn]);

export const knownAtSchema = z.union([z.enum(["occurredAt", "now"]), timeSchema]);

/** A list inside the row, each element an event line: `items`, `refunds[].refund_line_items`. */
export const linesSchema = z.union([
  name.transform((each) => ({ each, whenEmpty: "one-line" as const })),
  z.strictObject({ each: name, whenEmpty: z.enum(["one-line", "skip"]).default("one-line") }),
]);

/** Rows of one event: those with the same text in a column. Blank cells of `fill` are the first row's. */
export const groupSchema = z.strictObject({ column: name, fill: z.array(name).default([]) });

export type Decimal = z.infer<typeof decimalSchema>;
export type Condition = z.infer<typeof conditionSchema>;
export type TextField = z.infer<typeof textSchema>;
export type NumberField = z.infer<typeof numberSchema>;
export type TimeField = z.infer<typeof timeSchema>;
export type ChannelField = z.infer<typeof channelSchema>;
export type IdentifierField = z.infer<typeof identifierSchema>;
export type StatementField = z.infer<typeof statementSchema>;
export type Fields = z.infer<typeof fieldsSchema>;

/** The columns that something names, the first that counts first; none of a constant. */
export function columnsOf(spec: object): readonly string[] {
  const { column, join } = spec as { column?: string | string[]; join?: string[] };
  return join ?? (column === undefined ? [] : typeof column === "string" ? [column] : column);
}
