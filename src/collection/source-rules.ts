import { z } from "zod";
import { ServiceError } from "../base/index.ts";
import { CHANNELS, type Channel, PURPOSES, type Purpose } from "./event.ts";
import { IDENTIFIER_TYPE_PATTERN } from "./identifier.ts";

/** Our names of what is read from properties; `products[].` of a line, where it has another name there. */
const PROPERTY_NAMES = [
  "order_id",
  "currency",
  "total",
  "revenue",
  "value",
  "cost",
  "campaign",
  "product_id",
  "sku",
  "name",
  "quantity",
  "price",
  "category",
  "products",
  "products[].product_id",
  "products[].sku",
  "products[].name",
  "products[].quantity",
  "products[].price",
  "products[].category",
] as const;
export type PropertyName = (typeof PROPERTY_NAMES)[number];

const ENTRIES_MAX = 1_000;
const name = z
  .string()
  .trim()
  .min(1, "expected a name")
  .max(200, "expected at most 200 characters");
const identifierType = z
  .string()
  .regex(IDENTIFIER_TYPE_PATTERN, "expected lower-case letters, digits and _, from a letter on");

const FEW = `expected at most ${ENTRIES_MAX} entries`;
const isFew = (record: object): boolean => Object.keys(record).length <= ENTRIES_MAX;

/** What a file of rules holds (docs/collection.md). */
export const sourceRulesSchema = z
  .strictObject({
    events: z
      .record(name, name)
      .refine(isFew, FEW)
      .optional()
      .meta({ description: "the shop's event name to ours" }),
    properties: z
      .partialRecord(z.enum(PROPERTY_NAMES), name)
      .optional()
      .meta({ description: "our property to the path of theirs" }),
    identifiers: z
      .record(
        identifierType,
        z
          .string()
          .regex(
            /^(traits|properties|context)(\.[^.]+)+$/,
            "expected a path such as traits.card_no",
          ),
      )
      .refine(isFew, FEW)
      .optional()
      .meta({ description: "the type of an identifier to the path where it stands" }),
    consent: z
      .strictObject({ categories: z.record(name, z.enum(PURPOSES)).refine(isFew, FEW) })
      .optional()
      .meta({ description: "a category of the consent banner to a purpose" }),
    channel: z.enum(CHANNELS).optional(),
    region: z
      .string()
      .regex(/^[A-Z]{2}$/, "expected two capitals, such as NL")
      .optional()
      .meta({ description: "the country of phone numbers without a country code" }),
  })
  .meta({ id: "SourceRules" });

export type SourceRulesText = z.output<typeof sourceRulesSchema>;

type Path = readonly string[];

/** How a source's own names are read. */
export interface SourceRules {
  readonly events: ReadonlyMap<string, string>;
  readonly properties: ReadonlyMap<PropertyName, Path>;
  readonly identifiers: readonly { readonly type: string; readonly path: Path }[];
  /** By category in lower case; null is known and no purpose of ours. */
  readonly consent: ReadonlyMap<string, Purpose | null>;
  readonly channel: Channel | null;
  readonly region: string | undefined;
}

/** Categories as consent banners name them: plain words, OneTrust's groups, Google's consent mode. */
const CATEGORIES: Readonly<Record<string, Purpose | null>> = {
  advertising: "advertising",
  advertisement: "advertising",
  ads: "advertising",
  marketing: "advertising",
  targeting: "advertising",
  c0004: "advertising",
  ad_storage: "advertising",
  personalization: "personalisation",
  personalisation: "personalisation",
  personalization_storage: "personalisation",
  analytics: "analytics",
  performance: "analytics",
  statistics: "analytics",
  c0002: "analytics",
  analytics_storage: "analytics",
  ad_user_data: "ad_user_data",
  ad_personalization: "ad_personalization",
  necessary: null,
  "strictly necessary": null,
  essential: null,
  c0001: null,
  preferences: null,
  functional: null,
  c0003: null,
  security_storage: null,
  functionality_storage: null,
};

/** Rules from parsed JSON. Throws `invalid-input` naming the field and what was expected. */
export function parseSourceRules(value: unknown, file = "rules"): SourceRulesText {
  const parsed = sourceRulesSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? file : issue.path.join(".");
    const where = field === file ? file : `${file}: ${field}`;
    throw new ServiceError("invalid-input", `${where}: ${issue?.message ?? "no rules"}`, { field });
  }
  return parsed.data;
}

/** Rules made ready to read with. */
export function compileSourceRules(rules: SourceRulesText): SourceRules {
  const own = Object.entries(rules.consent?.categories ?? {});
  return {
    events: new Map(Object.entries(rules.events ?? {})),
    properties: new Map(
      (Object.entries(rules.properties ?? {}) as [PropertyName, string][]).map(
        ([ours, theirs]) => [ours, theirs.split(".")] as const,
      ),
    ),
    identifiers: Object.entries(rules.identifiers ?? {}).map(([type, path]) => ({
      type,
      path: path.split("."),
    })),
    consent: new Map<string, Purpose | null>([
      ...Object.entries(CATEGORIES),
      ...own.map(([category, purpose]) => [category.toLowerCase(), purpose] as const),
    ]),
    channel: rules.channel ?? null,
    region: rules.region,
  };
}

/** Of a source that has no names of its own. */
export const NO_RULES: SourceRules = compileSourceRules({});
