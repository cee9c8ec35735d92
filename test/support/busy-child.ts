import { join } from "node:path";
import { openSqlite } from "../../src/base/sqlite.ts";

/** Holds the write lock of the store in the folder from `held` on its standard output until a line comes on its input. */
const [folder = ""] = process.argv.slice(2);
const sqlite = openSqlite(join(folder, "herkoop.sqlite"));
sqlite.exec("BEGIN IMMEDIATE");
process.stdout.write("held\n");
process.stdin.once("data", () => {
  sqlite.exec("COMMIT");
  sqlite.close();
  process.stdout.write("released\n");
  process.stdin.destroy();
});
