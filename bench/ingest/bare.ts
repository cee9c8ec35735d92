import Database from "better-sqlite3";
import { openSqlite } from "../../src/base/sqlite.ts";

/**
 * Inserts the rows of a store's inbox, and a key of each message, into another store's tables, so many
 * messages a transaction: what the engine alone does with the same rows, columns and pragmas.
 */
const [from = "", to = "", perTransaction = "100"] = process.argv.slice(2);
const source = new Database(from, { readonly: true });
const keys = source.prepare<[], Buffer>("SELECT key FROM message ORDER BY random()").pluck().all();
const rows = source.prepare<[], unknown[]>("SELECT * FROM inbox ORDER BY sequence").raw().all();
source.close();
const target = openSqlite(to);
const addKey = target.prepare("INSERT INTO message VALUES (?) ON CONFLICT DO NOTHING");
const addRow = target.prepare(
  `INSERT INTO inbox VALUES (${Array(rows[0]?.length ?? 0)
    .fill("?")
    .join(", ")})`,
);
const linesEach = rows.length / keys.length;
const insert = target.transaction((first: number, last: number) => {
  for (let message = first; message < last; message++) {
    addKey.run(keys[message]);
    const end = Math.round((message + 1) * linesEach);
    for (let row = Math.round(message * linesEach); row < end; row++) {
      addRow.run(rows[row]);
    }
  }
});
const started = performance.now();
for (let first = 0; first < keys.length; first += Number(perTransaction)) {
  insert.immediate(first, Math.min(keys.length, first + Number(perTransaction)));
}
const seconds = (performance.now() - started) / 1_000;
target.close();
process.stdout.write(`${JSON.stringify({ accepted: keys.length, seconds })}\n`);
