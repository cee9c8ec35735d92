import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "..", "fixtures", "stores");

/** The commits of which a store is kept (test/fixtures/stores/make.sh). */
export const STORE_COMMITS: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".tar.gz"))
  .map((name) => name.replace(".tar.gz", ""));

/** Unpacks the store that a commit made into a folder; returns the store's folder. */
export function unpackStore(commit: string, folder: string): string {
  execFileSync("tar", ["-xzf", join(FOLDER, `${commit}.tar.gz`), "-C", folder]);
  return join(folder, "store");
}
