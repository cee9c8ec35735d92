import { z } from "zod";
import { ServiceError, type Store } from "../../base/index.ts";
import {
  type Audience,
  CSV_COLUMNS,
  countMembers,
  csvRecords,
  getAudience,
  listAudiences,
  readMembers,
  repurchaseAudienceName,
} from "../../segments/index.ts";
import {
  count,
  instant,
  noParameters,
  page,
  percentile,
  probability,
  stamps,
  stampsOf,
} from "../answers.ts";
import type { CsvDocument } from "../csv.ts";
import { type Answer, type Endpoint, endpoint } from "../endpoint.ts";
import {
  cursorParameter,
  DEFAULT_LIMIT,
  limitParameter,
  numberParameter,
  pageOf,
} from "../input.ts";

const header = {
  name: z.string().meta({ example: "repurchase-2011-W50" }),
  version: count,
  kind: z.enum(["repurchase", "retargeting"]),
  week: z.string().nullable(),
  weekStart: instant.nullable(),
  weekEnd: instant.nullable().meta({ description: "exclusive" }),
  purpose: z.string().meta({ description: "what each member consented to" }),
  candidates: count.meta({ description: "before consent is looked at" }),
  ...stamps,
};

const audienceList = z.strictObject({
  data: z.array(
    z
      .strictObject({
        ...header,
        members: count.meta({ description: "whose consent is on record now" }),
        links: z.strictObject({ json: z.string(), csv: z.string() }),
      })
      .meta({ id: "Audience" }),
  ),
});

const memberQuery = z.strictObject({
  limit: limitParameter,
  cursor: cursorParameter(z.tuple([z.string(), z.int(), z.int()])),
  product: z.string().min(1, "expected a product").optional(),
  minimumProbability: numberParameter(0, 1, "expected a number from 0 to 1").optional(),
  format: z
    .enum(["json", "csv"], "expected json or csv")
    .optional()
    .meta({ description: "CSV is the whole audience (at most limit); also by Accept: text/csv" }),
});

type MemberQuery = z.output<typeof memberQuery>;

const memberPage = z.strictObject({
  ...header,
  data: z.array(
    z
      .strictObject({
        position: count.meta({ description: "1 is the most probable" }),
        customerId: count,
        customer: z.string().meta({ description: "the source's id" }),
        product: z.string(),
        productName: z.string().nullable(),
        probability,
        percentile,
      })
      .meta({ id: "Member" }),
  ),
  page,
});

const list = endpoint({
  path: "/v1/audiences",
  operation: "listAudiences",
  summary: "The current audiences, the nearest week first",
  params: noParameters,
  query: noParameters,
  body: audienceList,
  read: ({ store }) => listAnswer(store, listAudiences(store)),
});

const one = endpoint({
  path: "/v1/audiences/{name}",
  operation: "readAudience",
  summary: "The members of an audience whose consent is on record now, the most probable first",
  isPersonal: true,
  params: z.strictObject({ name: z.string() }),
  query: memberQuery,
  body: memberPage,
  read: ({ store }, { params, query }) => pageAnswer(store, params.name, query),
  readCsv: ({ store }, { params, query }) => audienceCsv(store, params.name, query),
});

const weeks = endpoint({
  path: "/v1/repurchase",
  operation: "listRepurchaseWeeks",
  summary: "The coming ISO weeks and how many customers are due in each",
  params: noParameters,
  query: noParameters,
  body: audienceList,
  read: ({ store }) => listAnswer(store, listAudiences(store, "repurchase")),
});

const week = endpoint({
  path: "/v1/repurchase/{week}",
  operation: "readRepurchaseWeek",
  summary: "Who is due for which product in an ISO week",
  isPersonal: true,
  params: z.strictObject({
    week: z
      .string()
      .regex(/^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])$/, "expected an ISO week such as 2011-W50"),
  }),
  query: memberQuery,
  body: memberPage,
  read: ({ store }, { params, query }) =>
    pageAnswer(store, repurchaseAudienceName(params.week), query),
  readCsv: ({ store }, { params, query }) =>
    audienceCsv(store, repurchaseAudienceName(params.week), query),
});

function listAnswer(
  store: Store,
  audiences: readonly Audience[],
): Answer<z.output<typeof audienceList>> {
  return {
    data: audiences.map((audience) => ({
      ...audience,
      members: countMembers(store, audience),
      links: {
        json: `/v1/audiences/${audience.name}`,
        csv: `/v1/audiences/${audience.name}?format=csv`,
      },
    })),
  };
}

function pageAnswer(
  store: Store,
  name: string,
  query: MemberQuery,
): Answer<z.output<typeof memberPage>> {
  const audience = getAudience(store, name);
  const limit = query.limit ?? DEFAULT_LIMIT;
  const after = positionIn(audience, query.cursor);
  const found = readMembers(store, audience, { ...filterOf(query), after, limit: limit + 1 });
  return {
    ...audience,
    ...pageOf(found, limit, ({ position }) => [name, audience.version, position]),
  };
}

/** Positions mean something within one version of one audience only. */
function positionIn(audience: Audience, cursor: MemberQuery["cursor"]): number {
  const [name, version, position] = cursor ?? [audience.name, audience.version, 0];
  if (name !== audience.name) {
    throw new ServiceError("invalid-input", "cursor: it belongs to another audience", {
      field: "cursor",
    });
  }
  if (version !== audience.version) {
    throw new ServiceError(
      "conflict",
      "cursor: the audience was published anew since; begin again without a cursor",
      { field: "cursor" },
    );
  }
  return position;
}

function filterOf({ product, minimumProbability }: MemberQuery): {
  readonly product?: string;
  readonly minimumProbability?: number;
} {
  return {
    ...(product === undefined ? {} : { product }),
    ...(minimumProbability === undefined ? {} : { minimumProbability }),
  };
}

function audienceCsv(store: Store, name: string, query: MemberQuery): CsvDocument {
  if (query.cursor !== undefined) {
    throw new ServiceError("invalid-input", "cursor: a CSV answer has no pages; leave it out", {
      field: "cursor",
    });
  }
  const audience = getAudience(store, name);
  const { modelVersion, asOf, dataThrough, computedAt } = stampsOf(audience);
  return {
    fileName: `${name}.csv`,
    headers: {
      "Herkoop-Model-Version": modelVersion,
      "Herkoop-As-Of": asOf,
      "Herkoop-Data-Through": dataThrough,
      "Herkoop-Computed-At": computedAt,
    },
    columns: CSV_COLUMNS,
    records: oneVersion(store, audience, query),
  };
}

/** The records of one version, whole: if a new one takes its place meanwhile, the answer breaks off. */
function* oneVersion(
  store: Store,
  audience: Audience,
  query: MemberQuery,
): Generator<(string | number | null)[]> {
  yield* csvRecords(store, audience, filterOf(query), query.limit);
  if (getAudience(store, audience.name).version !== audience.version) {
    throw new ServiceError("conflict", "the audience was published anew while it was read");
  }
}

/** Whom to address: audiences and their members. */
export const audienceEndpoints: readonly Endpoint[] = [list, one, weeks, week];
