import { z } from "zod";
import { parseInstant, ServiceError } from "../../base/index.ts";
import { findSource, listSources, readQuality, sourceRulesSchema } from "../../collection/index.ts";
import { count, instant, noParameters } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";

const sourceParameter = z.string().min(1).max(63).meta({ description: "the name of a source" });

const source = z
  .strictObject({
    source: z.string(),
    rules: sourceRulesSchema.nullable().meta({ description: "null where none are stated" }),
    rulesUpdatedAt: instant.nullable(),
    keys: count.meta({ description: "write keys that are not revoked" }),
  })
  .meta({ id: "Source" });

const sources = endpoint({
  path: "/v1/sources",
  operation: "listSources",
  summary: "Every source, with the rules that its live events are read by",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({ data: z.array(source) }),
  read: ({ store }) => ({ data: listSources(store) }),
});

const oneSource = endpoint({
  path: "/v1/sources/{source}",
  operation: "getSource",
  summary: "One source, with its rules",
  params: z.strictObject({ source: sourceParameter }),
  query: noParameters,
  body: source,
  read: ({ store }, { params }) => findSource(store, params.source),
});

const named = z
  .array(z.strictObject({ name: z.string(), count }))
  .meta({ description: "the largest first" });
const day = z.iso.date().nullable();
const share = z.number().min(0).nullable();

const part = z
  .strictObject({
    accepted: count,
    duplicates: count,
    rejected: count,
    firstDay: day,
    lastDay: day,
    events: named,
    unknownEvents: named,
    channels: named,
    rejects: named.meta({ description: "by `field: reason`" }),
    identifiers: named,
    droppedIdentifiers: named.meta({ description: "identifiers that can't be read, by type" }),
    missingIdentifiers: named,
    impossible: named,
    unknownConsent: named.meta({ description: "consent categories that are no purpose here" }),
    lateness: z.strictObject({ p50: z.string(), p95: z.string(), p99: z.string() }).nullable(),
    lateShare: share.meta({ description: "arrived more than a day after it happened" }),
    missingIdentifierShare: share.meta({ description: "names nobody, or an anonymous id alone" }),
  })
  .meta({ id: "QualityPart" });

const quality = endpoint({
  path: "/v1/quality",
  operation: "getQuality",
  summary: "What came of each source, and what was wrong with it",
  params: noParameters,
  query: z.strictObject({
    source: sourceParameter.optional(),
    since: z
      .string()
      .optional()
      .meta({ description: "what arrived on this day or later, such as 2011-12-09 (UTC)" }),
  }),
  body: z.strictObject({
    data: z.array(
      z.strictObject({
        source: z.string(),
        verdict: z.string().meta({ description: "what to see to first" }),
        live: part.nullable(),
        imports: part.nullable(),
      }),
    ),
  }),
  read: ({ store }, { query }) => ({
    data: readQuality(store, {
      ...(query.source === undefined ? {} : { source: query.source }),
      ...(query.since === undefined ? {} : { since: readSince(query.since) }),
    }),
  }),
});

/** The value is not repeated in the answer. */
function readSince(text: string): number {
  try {
    return parseInstant(text, "since");
  } catch (error) {
    throw error instanceof ServiceError
      ? new ServiceError("invalid-input", "since: expected a date such as 2011-12-09", {
          field: "since",
        })
      : error;
  }
}

/** Sources, their rules, and the quality of what they send. */
export const qualityEndpoints: readonly Endpoint[] = [sources, oneSource, quality];
