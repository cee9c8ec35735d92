import { z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponsesObject,
} from "zod-openapi";
import { instant, noParameters } from "./answers.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { problemSchema } from "./errors.ts";
import { PRODUCT } from "./product.ts";

type Document = Readonly<Record<string, unknown>>;

/** The endpoint that describes the given ones, and itself, as OpenAPI 3.1. */
export function openApiEndpoint(others: readonly Endpoint[]): Endpoint {
  let document: Document | undefined;
  const self: Endpoint = endpoint({
    path: "/v1/openapi.json",
    operation: "getOpenApi",
    summary: "This description",
    params: noParameters,
    query: noParameters,
    body: z.record(z.string(), z.unknown()),
    read: (): Document => (document ??= describe([...others, self])),
  });
  return self;
}

function describe(endpoints: readonly Endpoint[]): Document {
  const { name, version, description } = PRODUCT;
  return {
    ...createDocument({
      openapi: "3.1.0",
      info: { title: name, version, description },
      components: {
        securitySchemes: {
          writeKey: {
            type: "http",
            scheme: "basic",
            description:
              "a write key (herkoop keys create) as user name, an empty password; or `writeKey` in the body, within its first 64 KB; a public key also as `writeKey` in the address",
          },
        },
      },
      paths: Object.fromEntries(
        endpoints.map((one) => [one.path, { [one.method]: operationOf(one) }]),
      ),
    }),
  };
}

function operationOf(one: Endpoint): ZodOpenApiOperationObject {
  return {
    operationId: one.operation,
    summary: one.summary,
    requestParams: { path: one.params, query: one.query },
    ...(one.requestBody === undefined
      ? {}
      : {
          security: [{ writeKey: [] }],
          requestBody: {
            required: true,
            content: { "application/json": { schema: one.requestBody } },
          },
        }),
    responses: responsesOf(one),
  };
}

const csvHeaders = z.object({
  "Herkoop-Model-Version": z.string(),
  "Herkoop-As-Of": instant,
  "Herkoop-Data-Through": instant,
  "Herkoop-Computed-At": instant,
});

function responsesOf({ body, hasCsv }: Endpoint): ZodOpenApiResponsesObject {
  const problem = { "application/problem+json": { schema: problemSchema } };
  return {
    "200": hasCsv
      ? {
          description: "as asked; the headers come with CSV",
          headers: csvHeaders.partial(),
          content: { "application/json": { schema: body }, "text/csv": { schema: z.string() } },
        }
      : { description: "as asked", content: { "application/json": { schema: body } } },
    "4XX": {
      description:
        "what is wrong with the request, by field; 421 where it is for a host that is not allowed, 429 (try again after Retry-After) where too much is under way",
      content: problem,
    },
    "5XX": {
      description: "not ready yet (try again after Retry-After), or failed",
      content: problem,
    },
  };
}
