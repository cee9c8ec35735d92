import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Clock, type Store, toIso } from "../base/index.ts";

/** A file that was set aside, with why. */
export interface Quarantined {
  /** Its name in `quarantine/`. */
  readonly name: string;
  readonly from: string;
  readonly movedAt: string;
  readonly why: string;
  readonly bytes: number;
}

const NOTE = ".note.json";

/**
 * Moves a file of the store into `quarantine/`, under a name that tells when, with a note that says why. Nothing is deleted
 * because it is unknown; the retention policy removes what was set aside later (`quarantined`).
 */
export function setAside(
  store: Store,
  clock: Clock,
  file: { readonly folder: "history" | "."; readonly name: string },
  why: string,
): Quarantined {
  const { folder, name } = file;
  const from = folder === "." ? join(store.folder, name) : join(store.path(folder), name);
  const movedAt = toIso(clock.now());
  const quarantined = {
    name: freeName(store, `${movedAt.replaceAll(/[:.]/g, "-")}-${name}`),
    from: folder === "." ? name : `${folder}/${name}`,
    movedAt,
    why,
    bytes: statSync(from).size,
  };
  const target = join(store.path("quarantine"), quarantined.name);
  writeFileSync(`${target}${NOTE}`, `${JSON.stringify(quarantined, null, 1)}\n`, { mode: 0o600 });
  renameSync(from, target);
  return quarantined;
}

function freeName(store: Store, wanted: string): string {
  const folder = store.path("quarantine");
  let name = wanted;
  for (let count = 2; existsSync(join(folder, name)); count++) {
    name = `${count}-${wanted}`;
  }
  return name;
}

/** What lies in quarantine, the oldest first. */
export function listQuarantined(store: Store): Quarantined[] {
  const folder = store.path("quarantine");
  return readdirSync(folder)
    .filter((name) => name.endsWith(NOTE) && existsSync(join(folder, name.slice(0, -NOTE.length))))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Quarantined)
    .sort((a, b) => (a.movedAt < b.movedAt ? -1 : 1));
}

/** Deletes what was set aside before an instant (epoch ms, exclusive); with `dryRun` only counts. Returns how many files. */
export function dropQuarantined(store: Store, before: number, dryRun: boolean): number {
  const old = listQuarantined(store).filter(({ movedAt }) => Date.parse(movedAt) < before);
  for (const { name } of dryRun ? [] : old) {
    const file = join(store.path("quarantine"), name);
    rmSync(file, { force: true });
    rmSync(`${file}${NOTE}`, { force: true });
  }
  return old.length;
}
