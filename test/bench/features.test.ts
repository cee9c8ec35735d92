import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { writeEvents } from "../../bench/features/events.ts";
import { writeHistory } from "../../bench/features/history.ts";
import { literal, openDuckDb, openStore, type SqlRow } from "../../src/base/index.ts";
import { historySql } from "../../src/collection/index.ts";
import { identitySql } from "../../src/customers/index.ts";
import { inFolder } from "../support/temporary.ts";

const EVENTS = 20_000;

async function eventsIn(folder: string, threads: number, seed = 1): Promise<SqlRow[]> {
  mkdirSync(folder, { recursive: true });
  const duckdb = await openDuckDb({ temporaryFolder: folder, threads });
  try {
    const file = await writeEvents(duckdb, folder, { events: EVENTS, seed });
    return await duckdb.rows(`SELECT * FROM read_parquet(${literal(file)}) ORDER BY event_id`);
  } finally {
    duckdb.close();
  }
}

async function storeIn(folder: string): Promise<Record<string, unknown[]>> {
  const store = await openStore(join(folder, "store"));
  const duckdb = await store.openDuckDb();
  try {
    return {
      lines: await duckdb.rows(
        `SELECT * FROM ${historySql(store)} ORDER BY known_at_ms, message_id`,
      ),
      snapshot: await duckdb.rows(`SELECT * FROM ${identitySql(store)} ORDER BY value`),
      files: store.sqlite
        .prepare("SELECT name, source, import_run_id, row_count, is_resolved FROM history_file")
        .all(),
      identifiers: store.sqlite
        .prepare(
          `SELECT i.*, c.first_seen_at AS customer_seen_at, c.merged_into
           FROM identifier i LEFT JOIN customer c ON c.id = i.customer_id ORDER BY i.id`,
        )
        .all(),
    };
  } finally {
    duckdb.close();
    store.close();
  }
}

describe("the events of the feature benchmark", () => {
  it("are the same for the same seed, whatever the threads", () =>
    inFolder(async (folder) => {
      const one = await eventsIn(folder, 1);
      expect(one).to.have.length(EVENTS);
      expect(await eventsIn(folder, 2)).to.deep.equal(one);
      expect(await eventsIn(folder, 2, 2)).not.to.deep.equal(one);
    }));

  it("come in the order of time, with half an hour of silence between a customer's sessions", () =>
    inFolder(async (folder) => {
      const last = new Map<unknown, { readonly at: number; readonly session: unknown }>();
      let before = 0;
      let sessions = 0;
      for (const event of await eventsIn(folder, 2)) {
        const at = Date.parse(`${String(event["ts"]).replace(" ", "T")}Z`);
        expect(at).to.be.at.least(before);
        const earlier = last.get(event["customer_id"]);
        const isNew = earlier === undefined || at - earlier.at > 1_800_000;
        expect(isNew).to.equal(earlier?.session !== event["session_id"]);
        sessions += isNew ? 1 : 0;
        last.set(event["customer_id"], { at, session: event["session_id"] });
        before = at;
      }
      expect(sessions).to.be.above(EVENTS / 5);
    }));

  it("have the customers in a store that resolving gives them", () =>
    inFolder(async (folder) => {
      await eventsIn(folder, 2);
      await writeHistory(folder, { withProfiles: false });
      const direct = await storeIn(folder);
      await inFolder(async (other) => {
        await eventsIn(other, 2);
        await writeHistory(other, { withProfiles: true });
        expect(direct).to.deep.equal(await storeIn(other));
      });
      expect(direct["lines"]).to.have.length(EVENTS);
      expect(direct["identifiers"]).to.have.length.above(900);
    }));
});
