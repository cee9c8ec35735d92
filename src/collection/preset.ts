import { readdirSync, readFileSync } from "node:fs";
import { nearest, ServiceError } from "../base/index.ts";
import type { FileFormat } from "./row-sql.ts";

const FOLDER = new URL("./presets/", import.meta.url);

/** A mapping that ships with Herkoop, for a kind of export and the formats it comes in. */
export interface Preset {
  readonly name: string;
  readonly format: FileFormat;
  readonly description: string;
}

/** Every preset, by name; one for JSON lines reads Parquet of the same shape, too. */
export function listPresets(): Preset[] {
  return readdirSync(FOLDER)
    .sort()
    .map((file) => {
      const [name = "", format = ""] = file.split(".");
      const { description } = read(file) as { readonly description: string };
      return { name, format: format as FileFormat, description };
    });
}

/**
 * A preset's mapping as JSON, as it would stand in a file of one's own. Throws `not-found` for an
 * unknown name, and `invalid-input` for a format that the export does not come in.
 */
export function presetMapping(name: string, format?: FileFormat): object {
  const presets = listPresets();
  const same = presets.filter((preset) => preset.name === name);
  if (same.length === 0) {
    const names = presets.map((preset) => preset.name);
    throw new ServiceError(
      "not-found",
      `preset: there is no "${name}"; nearest: ${nearest(name, [...new Set(names)]).join(", ")}`,
      { field: "preset" },
    );
  }
  const wanted = format === "parquet" ? "jsonl" : format;
  const preset = wanted === undefined ? same[0] : same.find((one) => one.format === wanted);
  if (preset === undefined) {
    throw new ServiceError(
      "invalid-input",
      `preset: ${name} reads ${same.map((one) => one.format).join(" or ")}, not ${format ?? ""}`,
      { field: "preset" },
    );
  }
  return read(`${preset.name}.${preset.format}.json`);
}

function read(file: string): object {
  return JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as object;
}
