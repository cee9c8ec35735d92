import type { Clock, Logger, Problems, Store } from "../base/index.ts";
import { ServiceError } from "../base/index.ts";
import { findService } from "../features/index.ts";
import {
  type Artifact,
  DamagedModel,
  describeDamage,
  loadServing,
  type OneIntent,
  openChampionId,
  prepareIntent,
} from "../models/index.ts";

export interface ServingIntentContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly modelsFolder: string;
  readonly problems?: Problems;
}

/** The version of intent that answers. */
export interface ServingIntent {
  readonly id: string;
  readonly system: string;
  readonly service: ReturnType<typeof findService>;
  readonly model: OneIntent;
}

/** A damaged champion is looked at again after this long: it may have been restored. */
const RETRY_MS = 60_000;

const PROBLEM = "damaged-model";

type Outcome = { readonly serving: ServingIntent } | { readonly error: DamagedModel };

/**
 * The version that answers: the champion, or while its files are damaged the latest one before it. It is loaded on
 * first use, when another one becomes champion, and once a minute while something is damaged; that is told in
 * health, and logged once. Calling it throws `not-ready` before the first training and where no version is whole,
 * `conflict` where the champion reads other features.
 */
export function openServingIntent(context: ServingIntentContext): () => ServingIntent {
  const { store, clock, problems } = context;
  const idOf = openChampionId(store, "conversion-intent");
  let champion: string | undefined;
  let outcome: Outcome | undefined;
  let retryAt = Infinity;
  let told: string | undefined;
  const tell = (damage: string | undefined): void => {
    retryAt = damage === undefined ? Infinity : clock.now() + RETRY_MS;
    if (damage === undefined) {
      problems?.clear(PROBLEM);
    } else {
      problems?.report(PROBLEM, damage);
    }
    if (damage !== undefined && damage !== told) {
      context.logger.error(damage);
    }
    told = damage;
  };
  const load = (): Outcome => {
    try {
      const serving = loadServing(store, context.modelsFolder, "conversion-intent", (artifact) => {
        serviceOf(artifact);
      });
      tell(describeDamage(serving));
      return { serving: prepared(serving.artifact) };
    } catch (error) {
      if (!(error instanceof DamagedModel)) {
        throw error;
      }
      tell(`${error.message}. No earlier version can answer`);
      return { error };
    }
  };
  return () => {
    const id = idOf();
    if (outcome === undefined || id === undefined || id !== champion || clock.now() >= retryAt) {
      outcome = undefined;
      outcome = load();
      champion = id;
    }
    if ("error" in outcome) {
      throw outcome.error;
    }
    return outcome.serving;
  };
}

function prepared(artifact: Artifact): ServingIntent {
  const service = serviceOf(artifact);
  const { id, system } = artifact;
  return { id, system, service, model: prepareIntent(artifact, service.features) };
}

function serviceOf({ id, service: { name, version } }: Artifact): ServingIntent["service"] {
  const service = findService(name);
  if (service.version !== version) {
    throw new ServiceError(
      "conflict",
      `${id} reads feature service ${name} v${version}, this release has v${service.version}: train again`,
    );
  }
  return service;
}
