import { once } from "node:events";
import {
  createReadStream,
  createWriteStream,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import type { Store } from "../base/index.ts";
import { toIso } from "../base/index.ts";
import { consentVersion, noteFilesCleaned, openAddressees } from "../customers/index.ts";
import { CSV_COLUMNS } from "./audience.ts";
import { purposesOfName } from "./audience-purposes.ts";
import { listAudiences, openPositions } from "./audience-store.ts";
import { csvRecordsOf } from "./csv-records.ts";

/** What cleaning the files of a store's audiences came to. */
export interface CleanedFiles {
  readonly files: number;
  readonly removed: number;
}

const NOTHING: CleanedFiles = { files: 0, removed: 0 };

/**
 * Removes from the files under `<store>/audiences/` the rows of who may no longer be read, and adds nobody: a row
 * stays while everybody who has its identifier agrees to the purpose, and while its member may be read where the
 * version it is of is still there. Files with other columns are left alone. Each file is replaced whole, and only
 * where a row goes. Costs one look into the database where nobody can have left since the last time, unless `isForced`.
 */
export async function cleanAudienceFiles(store: Store, isForced = false): Promise<CleanedFiles> {
  const { version, filesVersion } = consentVersion(store);
  if (version === filesVersion && !isForced) {
    return NOTHING;
  }
  let cleaned = NOTHING;
  const isKept = openKept(store);
  for (const file of csvFiles(store)) {
    const removed = await cleanFile(file, isKept);
    cleaned = {
      files: cleaned.files + (removed > 0 ? 1 : 0),
      removed: cleaned.removed + removed,
    };
  }
  noteFilesCleaned(store, version);
  return cleaned;
}

/**
 * Cleans the files when called, where anything changed since the last call: what people said, or the files. For a
 * server, which calls it every minute; the first call always looks.
 */
export function openFileCleaner(store: Store): () => Promise<CleanedFiles> {
  let known: string | undefined;
  return async () => {
    const found = fingerprint(store);
    const cleaned = await cleanAudienceFiles(store, found !== known);
    known = cleaned.files === 0 ? found : fingerprint(store);
    return cleaned;
  };
}

function csvFiles(store: Store): string[] {
  const folder = store.path("audiences");
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".csv"))
    .map((name) => join(folder, name))
    .sort();
}

/** What the files are, cheaply: a new one has another number, time or size. */
function fingerprint(store: Store): string {
  return csvFiles(store).map(identityOf).join("\n");
}

function identityOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? "" : `${file} ${found.ino} ${found.mtimeMs} ${found.size}`;
}

type IsKept = (fields: readonly string[]) => boolean;

const COLUMN = Object.fromEntries(CSV_COLUMNS.map((name, index) => [name, index])) as Readonly<
  Record<(typeof CSV_COLUMNS)[number], number>
>;

/** Tells which rows may stay. Answers of one pass are remembered: a customer has many rows. */
function openKept(store: Store): IsKept {
  const mayBeAddressed = openAddressees(store);
  const isPosition = openPositions(store);
  const versions = new Map(
    listAudiences(store).map((one) => [`${one.name} ${one.modelVersion} ${one.computedAt}`, one]),
  );
  const answers = new Map<string, boolean>();
  const isNamed = (value: string, purposes: readonly string[]): boolean => {
    const key = `${purposes.join(" ")} ${value}`;
    const answer = answers.get(key) ?? purposes.every((purpose) => mayBeAddressed(value, purpose));
    answers.set(key, answer);
    return answer;
  };
  return (fields) => {
    const field = (name: (typeof CSV_COLUMNS)[number]): string => fields[COLUMN[name]] ?? "";
    const name = field("audience");
    // What spreadsheets would take for a formula is written behind an apostrophe.
    const customer = field("customer").replace(/^'(?=[=+\-@\t\r])/, "");
    const audience = versions.get(
      `${name} ${field("model_version")} ${instantOf(field("computed_at"))}`,
    );
    const purposes = audience === undefined ? purposesOfName(name) : [audience.purpose];
    const position = Number(field("position"));
    return (
      isNamed(customer, purposes) &&
      (audience === undefined || isPosition(audience, position, customer))
    );
  };
}

function instantOf(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : toIso(at);
}

/** Returns how many rows went. A file that is replaced meanwhile is left to the next time. */
async function cleanFile(file: string, isKept: IsKept): Promise<number> {
  const before = identityOf(file);
  const partial = `${file}.${process.pid}.partial`;
  const input = createReadStream(file, { encoding: "utf8" });
  const output = createWriteStream(partial);
  let removed = 0;
  let isHeader = true;
  try {
    for await (const { text, fields } of csvRecordsOf(input)) {
      if (isHeader && fields.join() !== CSV_COLUMNS.join()) {
        break;
      }
      const isLeft = isHeader || isKept(fields);
      isHeader = false;
      if (!isLeft) {
        removed++;
      } else if (!output.write(text)) {
        await once(output, "drain");
      }
    }
    output.end();
    await once(output, "finish");
    if (removed > 0 && identityOf(file) === before) {
      renameSync(partial, file);
      return removed;
    }
    return 0;
  } finally {
    rmSync(partial, { force: true });
  }
}
