import { createHash } from "node:crypto";
import { ServiceError } from "../base/index.ts";
import type { ModelName } from "./task.ts";

/** A file of a version's folder as it was registered. `name` is relative to the folder. */
export interface ArtifactFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file that is not what was registered. */
export interface ArtifactFault {
  readonly model: ModelName;
  readonly version: string;
  readonly file: string;
  readonly fault: "missing" | "damaged";
}

/** For people alone; no prediction reads it. */
export const CARD_FILE = "card.json";

/** A version that cannot be served as it was registered; the message names model, version and file, and no folder. */
export class DamagedModel extends ServiceError {
  readonly fault: ArtifactFault;

  constructor(fault: ArtifactFault, cause?: unknown) {
    const { model, version, file } = fault;
    super(
      "not-ready",
      `${model}: ${file} of version ${version} is ${fault.fault}: restore it from a backup, or train again`,
      { field: "modelVersion", cause },
    );
    this.fault = fault;
  }
}

/** What is kept of a file's content. */
export function fileOf(name: string, content: Buffer | string): ArtifactFile {
  return {
    name,
    bytes: Buffer.byteLength(content),
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

/** Whether content is that of a registered file. */
export function isIntact(file: ArtifactFile, content: Buffer): boolean {
  return content.length === file.bytes && fileOf(file.name, content).sha256 === file.sha256;
}

const ROUNDING = 1e-9;

/** Whether it is a number from 0 to 1, give or take rounding. */
export function isProbability(value: number): boolean {
  return value >= -ROUNDING && value <= 1 + ROUNDING;
}

/** A version whose answers are no probabilities: its numbers are damaged, even where its files are as registered. */
export function noProbability(model: ModelName, version: string): ServiceError {
  return new ServiceError(
    "not-ready",
    `${model}: version ${version} gave no probability from 0 to 1: train again`,
    { field: "modelVersion" },
  );
}
