import { readFileSync } from "node:fs";

const manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as {
  readonly version: string;
  readonly description: string;
};

/** What this is, as it introduces itself. */
export const PRODUCT = {
  name: "Herkoop",
  version: manifest.version,
  description: manifest.description,
};
