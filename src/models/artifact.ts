import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ArtifactFault,
  type ArtifactFile,
  CARD_FILE,
  DamagedModel,
  fileOf,
  isIntact,
} from "./artifact-file.ts";
import type { Calibration } from "./calibrate.ts";
import type { DenseLayer } from "./dense-layer.ts";
import { restoreIntent, type StoredIntent, storeIntent } from "./intent/stored-intent.ts";
import type { FittedModel } from "./predictor.ts";
import type { Report } from "./report.ts";
import type { ModelName } from "./task.ts";

/**
 * One immutable model version: what is needed to predict (`model.json`, and `weights.bin` for a
 * network: little-endian float32, layer by layer, kernel then bias) and what a person wants to know
 * of it (`card.json`).
 */
export interface Artifact {
  readonly id: string;
  readonly model: ModelName;
  /** The system that was fitted: `network` or a baseline's name. */
  readonly system: string;
  readonly service: {
    readonly name: string;
    readonly version: number;
    readonly features: readonly string[];
  };
  readonly intervals: number;
  readonly intervalMs: number;
  readonly spine: {
    readonly entity: string;
    readonly minimumPurchases?: number;
    readonly activeWithinDays?: number;
  };
  readonly seed: number;
  readonly asOf: number;
  readonly dataThrough: number;
  readonly trainingRows: number;
  readonly calibration: Calibration;
  readonly fitted: FittedModel;
  /** What its folder holds. */
  readonly files?: readonly ArtifactFile[];
}

const MODEL_FILE = "model.json";
const WEIGHTS_FILE = "weights.bin";

interface StoredNetwork {
  readonly kind: "network";
  readonly preprocessing: unknown;
  readonly intervals: number;
  readonly members: readonly (readonly { readonly inputs: number; readonly units: number }[])[];
}

/**
 * Writes a version's folder, whole or not at all, and returns the artifact with its content's id. A folder that
 * is there and intact stays; a damaged one is written again.
 */
export function saveArtifact(
  folder: string,
  draft: Omit<Artifact, "id" | "files">,
  report: Report,
): Artifact {
  const { fitted, members } = storedForm(draft.fitted);
  const weights = packWeights(members);
  const content = JSON.stringify({ ...draft, fitted }, null, 1);
  const hash = createHash("sha256").update(content).update(weights).digest("hex").slice(0, 8);
  const day = new Date(draft.asOf).toISOString().slice(0, 10).replaceAll("-", "");
  const id = `${draft.model}-${day}-${hash}`;
  const target = versionFolder(folder, draft.model, id);
  const files = [fileOf(MODEL_FILE, content), fileOf(WEIGHTS_FILE, weights)];
  const card = cardOfIntact(target, files);
  if (card !== undefined) {
    return { ...draft, id, files: [...files, fileOf(CARD_FILE, card)] };
  }
  const newCard = JSON.stringify({ id, ...report }, null, 1);
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, MODEL_FILE), content);
  writeFileSync(join(partial, WEIGHTS_FILE), weights);
  writeFileSync(join(partial, CARD_FILE), newCard);
  rmSync(target, { recursive: true, force: true });
  renameSync(partial, target);
  return { ...draft, id, files: [...files, fileOf(CARD_FILE, newCard)] };
}

/** The card of a version's folder that holds these files as they are; undefined where it does not. */
function cardOfIntact(folder: string, files: readonly ArtifactFile[]): Buffer | undefined {
  const contents = files.map((file) => [file, readIfThere(join(folder, file.name))] as const);
  return contents.every(([file, content]) => content !== undefined && isIntact(file, content))
    ? readIfThere(join(folder, CARD_FILE))
    : undefined;
}

/** What is written as JSON, and the layers whose numbers are written apart. */
function storedForm(fitted: FittedModel): {
  readonly fitted: object;
  readonly members: readonly (readonly DenseLayer[])[];
} {
  if (fitted.kind === "network") {
    const { preprocessing, intervals, members } = fitted.network;
    const forms = members.map((layers) => layers.map(({ inputs, units }) => ({ inputs, units })));
    return { fitted: { kind: "network", preprocessing, intervals, members: forms }, members };
  }
  if (fitted.kind === "intent") {
    const { content, members } = storeIntent(fitted.model);
    return { fitted: content, members };
  }
  return { fitted, members: [] };
}

/**
 * Loads a version; predictions are those it was saved with, to the bit. With `files` as registered, what it reads
 * is compared with them. Throws `not-ready` naming the file that is missing, damaged or unreadable.
 */
export function loadArtifact(
  folder: string,
  model: ModelName,
  id: string,
  files: readonly ArtifactFile[] = [],
): Artifact {
  const read: ArtifactFile[] = [];
  let current = MODEL_FILE;
  const faultOf = (fault: ArtifactFault["fault"], cause?: unknown): DamagedModel =>
    new DamagedModel({ model, version: id, file: current, fault }, cause);
  const content = (name: string): Buffer => {
    current = name;
    const found = readIfThere(join(versionFolder(folder, model, id), name));
    if (found === undefined) {
      throw faultOf("missing");
    }
    const registered = files.find((file) => file.name === name);
    if (registered !== undefined && !isIntact(registered, found)) {
      throw faultOf("damaged");
    }
    read.push(fileOf(name, found));
    return found;
  };
  try {
    const stored = JSON.parse(content(MODEL_FILE).toString("utf8")) as Stored;
    const weights = content(WEIGHTS_FILE);
    return { ...stored, id, fitted: fittedOf(stored.fitted, weights), files: read };
  } catch (error) {
    throw error instanceof DamagedModel ? error : faultOf("damaged", error);
  }
}

type Stored = Omit<Artifact, "id" | "fitted" | "files"> & {
  readonly fitted:
    | StoredNetwork
    | StoredIntent
    | Exclude<FittedModel, { kind: "network" | "intent" }>;
};

function fittedOf(fitted: Stored["fitted"], weights: Buffer): FittedModel {
  if (fitted.kind === "intent") {
    const model = restoreIntent(fitted, (forms) => unpackWeights(weights, forms));
    return { kind: "intent", model };
  }
  if (fitted.kind !== "network") {
    return fitted;
  }
  const members = unpackWeights(weights, fitted.members);
  const preprocessing = fitted.preprocessing as Extract<
    FittedModel,
    { kind: "network" }
  >["network"]["preprocessing"];
  return {
    kind: "network",
    network: { preprocessing, intervals: fitted.intervals, members },
  };
}

/** The content of a file; undefined where it is not there, or is no file, or cannot be read. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** A version's folder inside the folder of all models. */
export function versionFolder(folder: string, model: ModelName, id: string): string {
  return join(folder, model, id);
}

function packWeights(members: readonly (readonly DenseLayer[])[]): Buffer {
  const arrays = members.flat().flatMap((layer) => [layer.kernel, layer.bias]);
  return Buffer.concat(
    arrays.map((values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );
}

function unpackWeights(buffer: Buffer, shapes: StoredNetwork["members"]): DenseLayer[][] {
  let offset = 0;
  const take = (length: number): Float32Array => {
    const bytes = buffer.subarray(offset, offset + 4 * length);
    if (bytes.length !== 4 * length) {
      throw new Error("weights.bin is shorter than model.json says");
    }
    offset += bytes.length;
    return new Float32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    );
  };
  return shapes.map((layers) =>
    layers.map(({ inputs, units }) => ({
      inputs,
      units,
      kernel: take(inputs * units),
      bias: take(units),
    })),
  );
}
