import { Umzug } from "umzug";
import { ServiceError } from "./errors.ts";
import { migrations } from "./migrations/index.ts";
import type { Sqlite } from "./sqlite.ts";

/**
 * Brings the operational store to the current schema: first the steps that earlier texts of its migrations left
 * out, then each migration once, in order of its name. One process migrates at a time (an immediate transaction),
 * and a failure leaves nothing behind.
 */
export async function migrate(database: Sqlite): Promise<void> {
  database.exec("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY) STRICT");
  database.exec("BEGIN IMMEDIATE");
  try {
    takeMissingSteps(database);
    await new Umzug({
      migrations: migrations.map(({ name, sql }) => ({
        name,
        up: () => Promise.resolve(void database.exec(sql)),
      })),
      storage: {
        logMigration: ({ name }) =>
          Promise.resolve(
            void database.prepare("INSERT INTO migration (name) VALUES (?)").run(name),
          ),
        unlogMigration: ({ name }) =>
          Promise.resolve(void database.prepare("DELETE FROM migration WHERE name = ?").run(name)),
        executed: () => Promise.resolve(executed(database)),
      },
      logger: undefined,
    }).up();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Throws `conflict` where a later version of this program has changed the database, by the name of the change.
 * Only reads.
 */
export function refuseNewer(database: Sqlite): void {
  const isStore = database
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'")
    .get();
  if (isStore === undefined) {
    return;
  }
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = executed(database).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new ServiceError(
      "conflict",
      `this store was written by a newer Herkoop (it has ${unknown.join(", ")}, which this version does not know); use that version or a newer one`,
      { field: "store" },
    );
  }
}

/** The names of the migrations that a database has had, in order. */
function executed(database: Sqlite): string[] {
  return database.prepare<[], string>("SELECT name FROM migration ORDER BY name").pluck().all();
}

function takeMissingSteps(database: Sqlite): void {
  const done = new Set(executed(database));
  const waiting = migrations.flatMap(({ name, steps = [] }) => (done.has(name) ? [] : steps));
  for (const { of, isMissing, sql } of waiting) {
    if (done.has(of) && database.prepare(isMissing).get() !== undefined) {
      database.exec(sql);
    }
  }
}
