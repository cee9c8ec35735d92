import { Umzug } from "umzug";
import { migrations } from "./migrations/index.ts";
import type { Sqlite } from "./sqlite.ts";

/**
 * Brings the operational store to the current schema: each migration once, in order of its name.
 * One process migrates at a time (an immediate transaction), and a failure leaves nothing behind.
 */
export async function migrate(database: Sqlite): Promise<void> {
  database.exec("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY) STRICT");
  database.exec("BEGIN IMMEDIATE");
  try {
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
        executed: () =>
          Promise.resolve(
            database.prepare<[], string>("SELECT name FROM migration ORDER BY name").pluck().all(),
          ),
      },
      logger: undefined,
    }).up();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
