import { z } from "zod";
import { toIso, whenFree } from "../../base/index.ts";
import {
  DUPLICATE_STATUSES,
  type Duplicate,
  decideDuplicate,
  getDuplicate,
  listDuplicates,
  PERSON_FIELDS,
  personOfIdentifier,
} from "../../customers/index.ts";
import { count, instant, noParameters, page, probability } from "../answers.ts";
import { type Answer, type Endpoint, endpoint, type WebContext } from "../endpoint.ts";
import {
  cursorParameter,
  DEFAULT_LIMIT,
  limitParameter,
  numberParameter,
  pageOf,
  parseInput,
} from "../input.ts";
import { authorize } from "./collection.ts";

const bits = z.number().meta({ description: "bits: positive speaks for one person" });

const duplicate = z
  .strictObject({
    id: count,
    identifierIds: z.tuple([count, count]),
    matchWeight: bits,
    probability,
    status: z.enum(DUPLICATE_STATUSES),
    foundAt: instant,
    decidedAt: instant.nullable(),
    decidedBy: z.string().nullable(),
    explanation: z
      .strictObject({
        prior: bits,
        comparisons: z.array(
          z.strictObject({ comparison: z.string(), level: z.string(), weight: bits }),
        ),
        household: bits,
      })
      .meta({ description: "prior, comparisons and household add up to matchWeight" }),
  })
  .meta({ id: "Duplicate" });

const person = z.strictObject({
  identifierId: count,
  customerId: count.nullable().meta({ description: "null where the person is gone" }),
  fields: z.partialRecord(z.enum(PERSON_FIELDS), z.string()),
});

const WHOLE = "expected a whole number of at least 1";
const byId = z.strictObject({
  id: numberParameter(1, Number.MAX_SAFE_INTEGER, WHOLE).refine(Number.isInteger, WHOLE),
});

const list = endpoint({
  path: "/v1/duplicates",
  operation: "listDuplicates",
  summary: "Pairs of customers that are probably one person, the heaviest first",
  isPersonal: true,
  params: noParameters,
  query: z.strictObject({
    status: z.enum(DUPLICATE_STATUSES).optional().meta({ description: "pending unless given" }),
    limit: limitParameter,
    cursor: cursorParameter(z.tuple([z.number(), z.int().min(0)])),
  }),
  body: z.strictObject({ data: z.array(duplicate), page }),
  read: ({ store }, { query: { status = "pending", limit = DEFAULT_LIMIT, cursor } }) =>
    pageOf(
      listDuplicates(store, status, limit + 1, cursor).map(duplicateAnswer),
      limit,
      ({ matchWeight, id }) => [matchWeight, id],
    ),
});

const one = endpoint({
  path: "/v1/duplicates/{id}",
  operation: "getDuplicate",
  summary: "A pair, why it is one, and what is known of the two now",
  isPersonal: true,
  params: byId,
  query: noParameters,
  body: duplicate.extend({ people: z.array(person) }).meta({ id: "DuplicateWithPeople" }),
  read: ({ store }, { params: { id } }) => {
    const found = duplicateAnswer(getDuplicate(store, id));
    const people = found.identifierIds.map((identifierId) => {
      const known = personOfIdentifier(store, identifierId);
      return {
        identifierId,
        customerId: known?.customerId ?? null,
        fields: { ...known?.person },
      };
    });
    return { ...found, people };
  },
});

/** How long a decision waits for another writer before the answer is 503. */
const WAIT_MS = 700;

/** Decides on a pair; only who shows a key may. */
function deciding(action: "join" | "separate", status: "joined" | "separated"): Endpoint {
  return {
    method: "post",
    path: `/v1/duplicates/{id}/${action}`,
    operation: `${action}Duplicate`,
    summary: action === "join" ? "Make the two one customer" : "Keep the two apart, for good",
    params: byId,
    query: noParameters,
    body: duplicate,
    hasCsv: false,
    handle: async (context: WebContext, request, response) => {
      const by = `API, key of ${authorize(context, request)}`;
      const { id } = parseInput(byId, request.params);
      const { store, clock } = context;
      const decided = await whenFree(
        store.sqlite,
        () => decideDuplicate(store, clock, { id, status, by }),
        { waitMs: WAIT_MS },
      );
      response.set("Cache-Control", "no-store").json(duplicateAnswer(decided));
    },
  };
}

function duplicateAnswer(found: Duplicate): Answer<z.output<typeof duplicate>> {
  const { id, matchWeight, probability, status, decidedBy, explanation } = found;
  return {
    id,
    identifierIds: [found.leftIdentifierId, found.rightIdentifierId],
    matchWeight,
    probability,
    status,
    foundAt: toIso(found.foundAt),
    decidedAt: found.decidedAt === null ? null : toIso(found.decidedAt),
    decidedBy,
    explanation,
  };
}

/** Probable duplicates: the review queue and its decisions. */
export const duplicateEndpoints: readonly Endpoint[] = [
  list,
  one,
  deciding("join", "joined"),
  deciding("separate", "separated"),
];
