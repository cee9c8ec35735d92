import express, { type Express } from "express";
import helmet from "helmet";
import { systemEvery } from "../base/index.ts";
import { createCollector, openSenders } from "../collection/index.ts";
import { openOnlineStore } from "../features/index.ts";
import type { AppContext, Endpoint, WebContext } from "./endpoint.ts";
import { answerError, refuseUnknown } from "./errors.ts";
import { refuseForeignHosts, refuseForeignPages } from "./hosts.ts";
import { createIntake } from "./intake.ts";
import { refuseOtherMethods } from "./methods.ts";
import { openApiEndpoint } from "./openapi.ts";
import { requestLog } from "./request-log.ts";
import { audienceEndpoints } from "./routes/audiences.ts";
import {
  browserAccess,
  COLLECTION_PATHS,
  collectionEndpoints,
  shortAddresses,
} from "./routes/collection.ts";
import { customerFeatureEndpoints } from "./routes/customer-features.ts";
import { customerEndpoints } from "./routes/customers.ts";
import { duplicateEndpoints } from "./routes/duplicates.ts";
import { featureEndpoints } from "./routes/features.ts";
import { healthEndpoints } from "./routes/health.ts";
import { intentEndpoints } from "./routes/intent.ts";
import { modelEndpoints } from "./routes/models.ts";
import { profileEndpoints } from "./routes/profile.ts";
import { pruningEndpoints } from "./routes/pruning.ts";
import { qualityEndpoints } from "./routes/quality.ts";

const DESCRIBED: readonly Endpoint[] = [
  ...healthEndpoints,
  ...collectionEndpoints,
  ...qualityEndpoints,
  ...customerEndpoints,
  ...profileEndpoints,
  ...customerFeatureEndpoints,
  ...intentEndpoints,
  ...duplicateEndpoints,
  ...audienceEndpoints,
  ...pruningEndpoints,
  ...modelEndpoints,
  ...featureEndpoints,
];

/** Every endpoint, the description of them last. */
export const ENDPOINTS: readonly Endpoint[] = [...DESCRIBED, openApiEndpoint(DESCRIBED)];

const INTAKE_BYTES_MAX = 32 * 1024 * 1024;

/** The HTTP API over a store. */
export function createApp(from: AppContext): Express {
  const context: WebContext = {
    ...from,
    collector: createCollector(from.store, from.clock),
    senders: openSenders(from.store),
    online: from.online ?? openOnlineStore(from.store),
    intake: createIntake(from.intakeBytesMax ?? INTAKE_BYTES_MAX, from.every ?? systemEvery),
  };
  const app = express();
  // Answers change with every event; a digest of each would cost more than sending it.
  app.set("etag", false);
  app.locals["privateFolders"] = [context.store.folder, ...(from.privateFolders ?? [])];
  const hosts = new Set(from.allowedHosts);
  app.use(requestLog(context.logger), helmet(), refuseForeignHosts(hosts), shortAddresses);
  app.use([...COLLECTION_PATHS], browserAccess);
  app.use(refuseForeignPages(hosts, COLLECTION_PATHS));
  for (const endpoint of ENDPOINTS) {
    app[endpoint.method](endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1"), (request, response) => {
      response.locals["route"] = endpoint.path;
      return endpoint.handle(context, request, response);
    });
  }
  app.use(refuseOtherMethods(ENDPOINTS), refuseUnknown, answerError);
  return app;
}
