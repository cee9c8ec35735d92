import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, ServiceError } from "../base/index.ts";
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
}

interface StoredNetwork {
  readonly kind: "network";
  readonly preprocessing: unknown;
  readonly intervals: number;
  readonly members: readonly (readonly { readonly inputs: number; readonly units: number }[])[];
}

/** Writes a version's folder, whole or not at all, and returns the artifact with its content's id. */
export function saveArtifact(
  folder: string,
  draft: Omit<Artifact, "id">,
  report: Report,
): Artifact {
  const { fitted, members } = storedForm(draft.fitted);
  const weights = packWeights(members);
  const content = JSON.stringify({ ...draft, fitted }, null, 1);
  const hash = createHash("sha256").update(content).update(weights).digest("hex").slice(0, 8);
  const day = new Date(draft.asOf).toISOString().slice(0, 10).replaceAll("-", "");
  const id = `${draft.model}-${day}-${hash}`;
  const target = versionFolder(folder, draft.model, id);
  if (!existsSync(target)) {
    const partial = `${target}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, "model.json"), content);
    writeFileSync(join(partial, "weights.bin"), weights);
    writeFileSync(join(partial, "card.json"), JSON.stringify({ id, ...report }, null, 1));
    renameSync(partial, target);
  }
  return { ...draft, id };
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

/** Loads a version; predictions are those it was saved with, to the bit. Throws `not-found` where it is gone. */
export function loadArtifact(folder: string, model: ModelName, id: string): Artifact {
  const from = versionFolder(folder, model, id);
  try {
    const stored = JSON.parse(readFileSync(join(from, "model.json"), "utf8")) as Omit<
      Artifact,
      "id" | "fitted"
    > & {
      fitted: StoredNetwork | StoredIntent | Exclude<FittedModel, { kind: "network" | "intent" }>;
    };
    const { fitted } = stored;
    if (fitted.kind === "intent") {
      const model = restoreIntent(fitted, (forms) =>
        unpackWeights(readFileSync(join(from, "weights.bin")), forms),
      );
      return { ...stored, id, fitted: { kind: "intent", model } };
    }
    if (fitted.kind !== "network") {
      return { ...stored, id, fitted };
    }
    const members = unpackWeights(readFileSync(join(from, "weights.bin")), fitted.members);
    const preprocessing = fitted.preprocessing as Extract<
      FittedModel,
      { kind: "network" }
    >["network"]["preprocessing"];
    return {
      ...stored,
      id,
      fitted: { kind: "network", network: { preprocessing, intervals: fitted.intervals, members } },
    };
  } catch (error) {
    throw new ServiceError(
      "not-found",
      `model version ${id} cannot be read from ${from}: ${messageOf(error)}`,
      {
        field: "modelVersion",
        cause: error,
      },
    );
  }
}

function versionFolder(folder: string, model: ModelName, id: string): string {
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
