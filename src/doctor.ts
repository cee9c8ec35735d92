import { historyNames, KEY_FILE } from "./base/index.ts";
import {
  type Damage,
  keyDamage,
  listQuarantined,
  type Quarantined,
  unlistedFiles,
  verifyHistory,
} from "./collection/index.ts";
import { snapshotDamage } from "./customers/index.ts";
import { verifyArtifacts } from "./models/index.ts";
import type { Service } from "./service.ts";

/** What a check of a whole store came to. */
export interface Diagnosis {
  readonly isWell: boolean;
  readonly historyFiles: number;
  /** History files whose checksums were taken now, since they were written before checksums were kept. */
  readonly checksumsTaken: number;
  /** What is damaged, missing or inconsistent. */
  readonly damaged: readonly Damage[];
  /** Files in the history's folder that the database does not list; the next writer sets them aside. */
  readonly unlisted: readonly string[];
  /** What was set aside; nothing reads it. */
  readonly quarantined: readonly Quarantined[];
}

/** Checks everything in a store that can be checked: the database, and by checksum every history file, file of a model and snapshot, and the key. */
export async function diagnose(service: Service): Promise<Diagnosis> {
  const { store } = service;
  const history = await verifyHistory(store);
  const models = verifyArtifacts(store, service.config.modelsFolder).map(
    ({ model, version, file, fault }) => ({
      file: `models/${model}/${version}/${file}`,
      damage: fault === "missing" ? "it is missing" : "its bytes have changed",
    }),
  );
  const snapshot = snapshotDamage(store);
  const key = keyDamage(store);
  const damaged = [
    ...databaseDamage(service),
    ...history.damaged,
    ...models,
    ...(snapshot === undefined ? [] : [snapshot]),
    ...(key === undefined ? [] : [{ file: KEY_FILE, damage: key }]),
  ];
  return {
    isWell: damaged.length === 0,
    historyFiles: historyNames(store.folder).length,
    checksumsTaken: history.checksumsTaken,
    damaged,
    unlisted: unlistedFiles(store),
    quarantined: listQuarantined(store),
  };
}

function databaseDamage({ store: { sqlite } }: Service): Damage[] {
  const file = "herkoop.sqlite";
  const faults = sqlite.pragma("quick_check(10)") as readonly { readonly quick_check: string }[];
  const broken = faults.filter(({ quick_check: fault }) => fault !== "ok");
  const orphans = sqlite.pragma("foreign_key_check") as readonly { readonly table: string }[];
  return [
    ...broken.map(({ quick_check: damage }) => ({ file, damage })),
    ...[...new Set(orphans.map(({ table }) => table))].map((table) => ({
      file,
      damage: `the table ${table} has rows that refer to nothing`,
    })),
  ];
}
