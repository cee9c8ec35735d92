import { nearest, ServiceError, type Store, toIso, writeTransaction } from "../base/index.ts";
import type { Artifact } from "./artifact.ts";
import { recordFiles } from "./artifact-store.ts";
import type { Report } from "./report.ts";
import { MODEL_NAMES, type ModelName } from "./task.ts";

/** A registered version. `aliases` are movable names: the champion serves. Instants as ISO 8601. */
export interface ModelVersion {
  readonly id: string;
  readonly model: ModelName;
  readonly system: string;
  readonly aliases: readonly string[];
  readonly asOf: string;
  readonly dataThrough: string;
  readonly createdAt: string;
  readonly card: Report;
}

interface VersionRow {
  readonly id: string;
  readonly model: ModelName;
  readonly kind: string;
  readonly card: string;
  readonly as_of: number;
  readonly data_through: number;
  readonly created_at: number;
  readonly aliases: string | null;
}

/** Registers a version (once) with the checksums of its files, and makes it the champion of its model. */
export function registerChampion(
  store: Store,
  artifact: Artifact,
  report: Report,
  now: number,
): void {
  writeTransaction(store.sqlite, () => {
    store.sqlite
      .prepare(
        "INSERT INTO model_version VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      )
      .run(
        artifact.id,
        artifact.model,
        artifact.system,
        `${artifact.model}/${artifact.id}`,
        JSON.stringify(report),
        artifact.asOf,
        artifact.dataThrough,
        now,
      );
    recordFiles(store.sqlite, artifact.id, artifact.files ?? [], { isLate: false });
    store.sqlite
      .prepare(
        `INSERT INTO model_alias VALUES (?, 'champion', ?)
         ON CONFLICT (model, alias) DO UPDATE SET version_id = excluded.version_id`,
      )
      .run(artifact.model, artifact.id);
  });
}

/** Every version, the latest first; of one model if given. */
export function listVersions(store: Store, model?: ModelName): ModelVersion[] {
  return store.sqlite
    .prepare<[], VersionRow>(
      `SELECT v.*, (SELECT group_concat(alias) FROM model_alias a WHERE a.version_id = v.id) AS aliases
       FROM model_version v ORDER BY created_at DESC, v.rowid DESC`,
    )
    .all()
    .filter((row) => model === undefined || row.model === model)
    .map((row) => ({
      id: row.id,
      model: row.model,
      system: row.kind,
      aliases: row.aliases === null ? [] : row.aliases.split(","),
      asOf: toIso(row.as_of),
      dataThrough: toIso(row.data_through),
      createdAt: toIso(row.created_at),
      card: JSON.parse(row.card) as Report,
    }));
}

/** The version that serves, or undefined before the first training. */
export function findChampion(store: Store, model: ModelName): ModelVersion | undefined {
  return listVersions(store, model).find((version) => version.aliases.includes("champion"));
}

/** The id of the version that serves, through a statement that is prepared once; undefined before the first training. */
export function openChampionId(store: Store, model: ModelName): () => string | undefined {
  const find = store.sqlite
    .prepare<[string], string>(
      "SELECT version_id FROM model_alias WHERE model = ? AND alias = 'champion'",
    )
    .pluck();
  return () => find.get(model);
}

/** A version by id. Throws `not-found`. */
export function getVersion(store: Store, model: ModelName, id: string): ModelVersion {
  const version = listVersions(store, model).find((one) => one.id === id);
  if (version === undefined) {
    throw new ServiceError("not-found", `${model} has no version "${id}"`, { field: "version" });
  }
  return version;
}

/** A model's name from text. Throws `invalid-input` with the names there are. */
export function parseModelName(text: string): ModelName {
  const found = MODEL_NAMES.find(
    (name) => name === text || name.startsWith(`${text}-`) || name.endsWith(`-${text}`),
  );
  if (found === undefined) {
    throw new ServiceError(
      "invalid-input",
      `model: expected ${MODEL_NAMES.join(" or ")}, got "${text}" (nearest: ${nearest(text, MODEL_NAMES)[0] ?? ""})`,
      {
        field: "model",
      },
    );
  }
  return found;
}
