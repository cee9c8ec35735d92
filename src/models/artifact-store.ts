import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Sqlite, type Store, writeTransaction } from "../base/index.ts";
import { type Artifact, loadArtifact, readIfThere, versionFolder } from "./artifact.ts";
import { type ArtifactFault, type ArtifactFile, fileOf, isIntact } from "./artifact-file.ts";
import type { ModelName } from "./task.ts";

/** A registered file, with where it lies in the folder of models (`/` between folders). */
export interface RegisteredFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

interface Version {
  readonly id: string;
  readonly model: ModelName;
}

/** What every version's folder must hold, also where it has no checksums yet. */
const NEEDED = ["model.json", "weights.bin"];

/** Keeps what a version's files are. Call inside a write transaction. Late ones were not seen when it was registered. */
export function recordFiles(
  sqlite: Sqlite,
  version: string,
  files: readonly ArtifactFile[],
  { isLate }: { readonly isLate: boolean },
): void {
  const insert = sqlite.prepare(
    `INSERT INTO artifact_file (version_id, name, bytes, sha256, is_late) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (version_id, name) DO UPDATE
       SET bytes = excluded.bytes, sha256 = excluded.sha256, is_late = excluded.is_late`,
  );
  for (const { name, bytes, sha256 } of files) {
    insert.run(version, name, bytes, sha256, isLate ? 1 : 0);
  }
}

/** The registered files of a version, by name; none for one of an older store that was not loaded since. */
export function filesOf(sqlite: Sqlite, version: string): ArtifactFile[] {
  return sqlite
    .prepare<[string], ArtifactFile>(
      "SELECT name, bytes, sha256 FROM artifact_file WHERE version_id = ? ORDER BY name",
    )
    .all(version);
}

/**
 * Loads a version whose files are those registered. One without checksums gets them now: from then on damage is
 * seen. Throws `not-ready` (DamagedModel) naming model, version and file.
 */
export function loadVersion(
  store: Store,
  modelsFolder: string,
  model: ModelName,
  id: string,
): Artifact {
  const files = filesOf(store.sqlite, id);
  const artifact = loadArtifact(modelsFolder, model, id, files);
  if (files.length === 0) {
    writeTransaction(store.sqlite, () => {
      recordFiles(store.sqlite, id, artifact.files ?? [], { isLate: true });
    });
  }
  return artifact;
}

/** Every damaged or missing file of registered versions; reads each of them whole, changes nothing. */
export function verifyArtifacts(store: Store, modelsFolder: string): ArtifactFault[] {
  return versions(store).flatMap(({ id, model }) => {
    const files = filesOf(store.sqlite, id);
    const folder = versionFolder(modelsFolder, model, id);
    const faultOf = (name: string, file?: ArtifactFile): ArtifactFault[] => {
      const content = readIfThere(join(folder, name));
      if (content !== undefined && (file === undefined || isIntact(file, content))) {
        return [];
      }
      const fault = content === undefined ? "missing" : "damaged";
      return [{ model, version: id, file: name, fault }];
    };
    return files.length === 0
      ? NEEDED.flatMap((name) => faultOf(name))
      : files.flatMap((file) => faultOf(file.name, file));
  });
}

/**
 * Every file of registered versions with its size and checksum as registered; of a version without checksums as
 * it is now.
 */
export function artifactFiles(store: Store, modelsFolder: string): RegisteredFile[] {
  return versions(store).flatMap(({ id, model }) => {
    const registered = filesOf(store.sqlite, id);
    const files =
      registered.length === 0 ? filesIn(versionFolder(modelsFolder, model, id)) : registered;
    return files.map(({ name, bytes, sha256 }) => ({
      path: `${model}/${id}/${name}`,
      bytes,
      sha256,
    }));
  });
}

function filesIn(folder: string): ArtifactFile[] {
  const names = NEEDED.every((name) => readIfThere(join(folder, name)) !== undefined)
    ? readdirSync(folder).sort()
    : [];
  return names.flatMap((name) => {
    const content = readIfThere(join(folder, name));
    return content === undefined ? [] : [fileOf(name, content)];
  });
}

function versions(store: Store): Version[] {
  return store.sqlite
    .prepare<[], Version>("SELECT id, model FROM model_version ORDER BY model, created_at, id")
    .all();
}
