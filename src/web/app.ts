import express, { type Express } from "express";
import helmet from "helmet";
import { type Endpoint, type WebContext } from "./endpoint.ts";
import { answerError, refuseUnknown } from "./errors.ts";
import { openApiEndpoint } from "./openapi.ts";
import { requestLog } from "./request-log.ts";
import { audienceEndpoints } from "./routes/audiences.ts";
import { customerEndpoints } from "./routes/customers.ts";
import { featureEndpoints } from "./routes/features.ts";
import { healthEndpoints } from "./routes/health.ts";
import { modelEndpoints } from "./routes/models.ts";
import { pruningEndpoints } from "./routes/pruning.ts";

const DESCRIBED: readonly Endpoint[] = [
  ...healthEndpoints,
  ...customerEndpoints,
  ...audienceEndpoints,
  ...pruningEndpoints,
  ...modelEndpoints,
  ...featureEndpoints,
];

/** Every endpoint, the description of them last. */
export const ENDPOINTS: readonly Endpoint[] = [...DESCRIBED, openApiEndpoint(DESCRIBED)];

/** The HTTP API over a store. */
export function createApp(context: WebContext): Express {
  const app = express();
  app.use(requestLog(context.logger), helmet());
  for (const endpoint of ENDPOINTS) {
    app.get(endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1"), (request, response) => {
      response.locals["route"] = endpoint.path;
      return endpoint.handle(context, request, response);
    });
  }
  app.use(refuseUnknown, answerError);
  return app;
}
