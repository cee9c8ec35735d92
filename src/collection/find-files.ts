import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, sep } from "node:path";
import { ServiceError } from "../base/index.ts";
import type { FileFormat } from "./row-sql.ts";

const ENDING = /\.(csv|jsonl|ndjson|parquet)(\.gz)?$/;

/** What a file is, by its ending. Throws a ServiceError where that does not say. */
export function formatOf(file: string): FileFormat {
  const ending = ENDING.exec(file.toLowerCase())?.[1];
  if (ending === undefined) {
    throw new ServiceError(
      "invalid-input",
      `format: cannot tell from the name ${basename(file)}; give --format csv, jsonl or parquet`,
      { field: "format" },
    );
  }
  return ending === "csv" ? "csv" : ending === "parquet" ? "parquet" : "jsonl";
}

/**
 * The files that names mean, each once, sorted: a file is itself, a folder every CSV, JSON lines and
 * Parquet file in it and below, a pattern (`*` within a name, `**` across folders, `?` one character)
 * the files it fits. Hidden files and folders are passed over. Throws where a name means no file.
 */
export function findFiles(names: readonly string[]): string[] {
  const files = names.flatMap((name) => {
    const found = filesOf(name);
    if (found.length === 0) {
      throw new ServiceError("invalid-input", `file: nothing to import in ${name}`, {
        field: "file",
      });
    }
    return found;
  });
  return [...new Set(files)].sort();
}

function filesOf(name: string): string[] {
  if (existsSync(name)) {
    return statSync(name).isDirectory() ? filesBelow(name) : [name];
  }
  if (!/[*?]/.test(name)) {
    return [name];
  }
  const pattern = patternOf(name);
  const root = name.slice(0, name.search(/[*?]/)).replace(/[^/]*$/, "");
  const folder = root === "" ? "." : root;
  return existsSync(folder)
    ? filesBelow(folder)
        .map((file) => (root === "" ? file.replace(/^\.[/\\]/, "") : file))
        .filter((file) => pattern.test(file.split(sep).join("/")))
    : [];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) {
      return [];
    }
    if (entry.isDirectory()) {
      return filesBelow(path);
    }
    return ENDING.test(entry.name.toLowerCase()) ? [path] : [];
  });
}

function patternOf(name: string): RegExp {
  const parts = name
    .replace(/^\.\//, "")
    .split(/(\*\*\/|\*|\?)/)
    .map((part) => {
      const wild = { "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]" }[part];
      return wild ?? part.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
    });
  return new RegExp(`^(?:\\./)?${parts.join("")}$`);
}
