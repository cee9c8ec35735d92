import { ServiceError, type Store } from "../base/index.ts";
import type { Artifact } from "./artifact.ts";
import { DamagedModel } from "./artifact-file.ts";
import { loadVersion } from "./artifact-store.ts";
import type { ModelName } from "./task.ts";

/** What answers, and what is wrong with the champion where another version answers instead. */
export interface Serving {
  readonly artifact: Artifact;
  readonly champion: string;
  readonly damage: DamagedModel | undefined;
}

/**
 * The champion, as registered; where its files are damaged, the latest version before it that is whole and that
 * `check` does not refuse by throwing. Throws `not-ready` before the first training, the champion's damage where no
 * version is left, and what `check` throws of the champion itself.
 */
export function loadServing(
  store: Store,
  modelsFolder: string,
  model: ModelName,
  check: (artifact: Artifact) => void,
): Serving {
  const [champion, ...earlier] = candidates(store, model);
  if (champion === undefined) {
    throw new ServiceError(
      "not-ready",
      `${model} has no champion yet: run "herkoop train ${model}"`,
    );
  }
  const load = (id: string): Artifact => {
    const artifact = loadVersion(store, modelsFolder, model, id);
    check(artifact);
    return artifact;
  };
  try {
    return { artifact: load(champion), champion, damage: undefined };
  } catch (error) {
    if (!(error instanceof DamagedModel)) {
      throw error;
    }
    for (const id of earlier) {
      try {
        return { artifact: load(id), champion, damage: error };
      } catch (refusal) {
        if (!(refusal instanceof ServiceError)) {
          throw refusal;
        }
      }
    }
    throw error;
  }
}

/** What to tell an operator: what is damaged, and which version answers instead. */
export function describeDamage({ damage, artifact }: Serving): string | undefined {
  return damage === undefined
    ? undefined
    : `${damage.message}. Version ${artifact.id} answers until then`;
}

/** The champion, then the versions registered before it, the latest first. */
function candidates(store: Store, model: ModelName): string[] {
  return store.sqlite
    .prepare<{ model: string }, string>(
      `WITH champion AS (
         SELECT v.rowid AS position, v.created_at FROM model_version v
         JOIN model_alias a ON a.version_id = v.id WHERE a.model = @model AND a.alias = 'champion')
       SELECT v.id FROM model_version v, champion c
       WHERE v.model = @model AND (v.created_at, v.rowid) <= (c.created_at, c.position)
       ORDER BY v.created_at DESC, v.rowid DESC`,
    )
    .pluck()
    .all({ model });
}
