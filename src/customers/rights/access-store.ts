import { type Clock, quoted, type Sqlite, type Store, toIso } from "../../base/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { inboxLinesOf, rejectedMessagesOf } from "./erase-rows-store.ts";
import { findInFiles } from "./person-files-store.ts";
import { historyLinesOf } from "./person-history-store.ts";
import {
  findPerson,
  type Person,
  personCondition,
  personParameters,
  personTables,
} from "./person-store.ts";

/**
 * Everything the store holds of the person behind an identifier, as the text of one JSON object, a part
 * at a time: `person`; `tables`, the rows of every table that carries their numbers, by table;
 * `inbox`, `rejectedMessages`, `history`, each a list; `files`, rows of other files by folder and name.
 * Instants named `*_at` and `*_at_ms` are epoch milliseconds. What erasure would remove is what this shows.
 * Throws `not-found` where nobody has the identifier.
 */
export async function* accessPerson(
  store: Store,
  clock: Clock,
  identifier: Identifier,
): AsyncGenerator<string> {
  const person = findPerson(store, identifier);
  yield `{"format":"herkoop-access-1","madeAt":${JSON.stringify(toIso(clock.now()))},`;
  yield `"person":${JSON.stringify({ customerIds: person.customerIds, identifiers: person.identifiers })},`;
  yield '"tables":{';
  yield* tablesOf(store.sqlite, person);
  yield '},"inbox":[';
  yield* listed(inboxOf(store, person));
  yield '],"rejectedMessages":[';
  yield* listed(rejectedMessagesOf(store.sqlite, person));
  yield '],"history":[';
  let separator = "";
  for await (const rows of historyLinesOf(store, person)) {
    for (const row of rows) {
      yield `${separator}\n${JSON.stringify(row)}`;
      separator = ",";
    }
  }
  yield '],"files":[';
  yield* listed(
    (await findInFiles(store, person)).map(({ folder, file, rows }) => ({ folder, file, rows })),
  );
  yield "]}\n";
}

function* listed(rows: Iterable<unknown>): Generator<string> {
  let separator = "";
  for (const row of rows) {
    yield `${separator}\n${JSON.stringify(row)}`;
    separator = ",";
  }
}

function* tablesOf(sqlite: Sqlite, person: Person): Generator<string> {
  let separator = "";
  for (const one of personTables(sqlite)) {
    yield `${separator}\n${JSON.stringify(one.table)}:[`;
    yield* listed(
      sqlite
        .prepare<[object]>(`SELECT * FROM ${quoted(one.table)} WHERE ${personCondition(one)}`)
        .all(personParameters(person)),
    );
    yield "]";
    separator = ",";
  }
}

function* inboxOf(store: Store, person: Person): Generator {
  const read = store.sqlite.prepare<[number]>("SELECT * FROM inbox WHERE sequence = ?");
  for (const { sequence } of inboxLinesOf(store, person)) {
    yield read.get(sequence);
  }
}
