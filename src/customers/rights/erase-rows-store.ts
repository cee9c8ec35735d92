import { quoted, type Sqlite, type Store } from "../../base/index.ts";
import { forgetMessages, writtenAs } from "../../collection/index.ts";
import type { MessageKey } from "./person-history-store.ts";
import { createMatcher, ERASED, type PersonMatcher } from "./person-matcher.ts";
import {
  type LineNames,
  ownership,
  type Person,
  personCondition,
  personParameters,
  personTables,
} from "./person-store.ts";

/** Rows that went from a table, and rows of others that named the person and no longer do. */
export interface TableErasure {
  readonly table: string;
  readonly removed: number;
  readonly changed: number;
}

/** A line of the inbox, as far as it names persons. */
export interface InboxNames extends LineNames {
  readonly sequence: number;
  readonly source: string;
  readonly messageId: string;
  readonly traits: string | null;
  readonly properties: string | null;
}

interface InboxRow extends Omit<InboxNames, "isClaim"> {
  readonly isClaim: number;
}

/**
 * Removes a person from every table: rows that carry their numbers, wherever the schema has such columns;
 * lines of the inbox and refused messages that name them; the ids of their messages. What others' rows say
 * of them is replaced. Call inside a transaction; foreign keys are checked at its end.
 */
export function eraseRows(
  store: Store,
  person: Person,
  messages: readonly MessageKey[],
): TableErasure[] {
  const { sqlite } = store;
  sqlite.pragma("defer_foreign_keys = ON");
  const matcher = createMatcher(person.identifiers);
  const inbox = eraseInbox(store, person, matcher);
  const all = [...messages, ...inbox.messages];
  const result = [
    { table: "inbox", removed: inbox.removed, changed: inbox.changed },
    { table: "rejected_message", removed: eraseRejected(sqlite, person), changed: 0 },
    { table: "message", removed: forgetMessages(sqlite, all), changed: 0 },
    ...eraseByNumber(sqlite, person),
  ];
  const changed = [
    ...redactReasons(sqlite, matcher, all),
    { table: "trait", removed: 0, changed: redactTraits(sqlite, matcher) },
    { table: "recent_event", removed: 0, changed: forgetNames(sqlite, person) },
  ];
  sqlite.prepare("UPDATE resolve_position SET identity_version = identity_version + 1").run();
  recount(sqlite);
  return [...result, ...changed].filter((one) => one.removed + one.changed > 0);
}

/** Tables that refer to others go first, so that what cascades is counted where it was. */
function eraseByNumber(sqlite: Sqlite, person: Person): TableErasure[] {
  const parameters = personParameters(person);
  const last = ["identifier", "customer"];
  const tables = personTables(sqlite).sort((a, b) => last.indexOf(a.table) - last.indexOf(b.table));
  return tables.map((one) => ({
    table: one.table,
    removed: sqlite
      .prepare(`DELETE FROM ${quoted(one.table)} WHERE ${personCondition(one)}`)
      .run(parameters).changes,
    changed: 0,
  }));
}

/** The person's lines that wait in the inbox, whole messages. */
export function* inboxLinesOf(store: Store, person: Person): Generator<InboxNames> {
  const isOwned = ownership(store, person);
  const messages = new Set<string>();
  for (const line of inboxLines(store.sqlite)) {
    if (isOwned(line)) {
      messages.add(`${line.source}\n${line.messageId}`);
    }
  }
  for (const line of inboxLines(store.sqlite)) {
    if (messages.has(`${line.source}\n${line.messageId}`)) {
      yield line;
    }
  }
}

const INBOX_PAGE = 5_000;

function* inboxLines(sqlite: Sqlite): Generator<InboxNames> {
  const read = sqlite.prepare<[number], InboxRow>(
    `SELECT sequence, source, message_id AS messageId, user_id AS userId, anonymous_id AS anonymousId, identifiers, traits,
            properties, is_claim AS isClaim FROM inbox WHERE sequence > ? ORDER BY sequence LIMIT ${INBOX_PAGE}`,
  );
  for (let rows = read.all(0); rows.length > 0; rows = read.all(rows.at(-1)?.sequence ?? 0)) {
    yield* rows.map((row) => ({ ...row, isClaim: row.isClaim === 1 }));
  }
}

function eraseInbox(
  store: Store,
  person: Person,
  matcher: PersonMatcher,
): { readonly messages: MessageKey[]; readonly removed: number; readonly changed: number } {
  const { sqlite } = store;
  const remove = sqlite.prepare("DELETE FROM inbox WHERE sequence = ?");
  const own = [...inboxLinesOf(store, person)];
  for (const { sequence } of own) {
    remove.run(sequence);
  }
  const update = sqlite.prepare(
    "UPDATE inbox SET user_id = ?, anonymous_id = ?, identifiers = ?, traits = ?, properties = ? WHERE sequence = ?",
  );
  let changed = 0;
  for (const line of inboxLines(sqlite)) {
    const without = withoutPerson(line, matcher);
    if (without.some(([before, after]) => before !== after)) {
      update.run(...without.map(([, after]) => after), line.sequence);
      changed++;
    }
  }
  const messages = own.map(({ source, messageId }) => [source, messageId] as const);
  return { messages, removed: own.length, changed };
}

/** What a line says and what it may go on saying, of each column that may name somebody. */
function withoutPerson(
  line: InboxNames,
  matcher: PersonMatcher,
): (readonly [string | null, string | null])[] {
  const { userId, anonymousId, identifiers, traits, properties } = line;
  const name = (type: string, value: string | null): string | null =>
    value !== null && matcher.isIdentifier(type, value) ? null : value;
  const text = (json: string | null): string | null =>
    json === null ? null : matcher.redact(json);
  return [
    [userId, name("user_id", userId)],
    [anonymousId, name("anonymous_id", anonymousId)],
    [identifiers, identifiers === null ? null : matcher.withoutNames(identifiers)],
    [traits, text(traits)],
    [properties, text(properties)],
  ];
}

/** A refused message, as it was kept. */
export interface RejectedMessage {
  readonly sequence: number;
  readonly source: string;
  readonly messageId: string | null;
  readonly field: string;
  readonly reason: string;
  readonly content: string;
  readonly receivedAt: number;
}

/** Refused messages that name the person in any field. */
export function rejectedMessagesOf(sqlite: Sqlite, { identifiers }: Person): RejectedMessage[] {
  const matcher = createMatcher(identifiers);
  const read = sqlite.prepare<[number], RejectedMessage>(
    `SELECT sequence, source, message_id AS messageId, field, reason, content, received_at AS receivedAt
     FROM rejected_message WHERE sequence > ? ORDER BY sequence LIMIT ${INBOX_PAGE}`,
  );
  const found: RejectedMessage[] = [];
  for (let rows = read.all(0); rows.length > 0; rows = read.all(rows.at(-1)?.sequence ?? 0)) {
    found.push(
      ...rows.filter(
        ({ content, reason, messageId }) =>
          matcher.isIn(content) || matcher.holds(`${reason}\n${messageId ?? ""}`),
      ),
    );
  }
  return found;
}

function eraseRejected(sqlite: Sqlite, person: Person): number {
  const remove = sqlite.prepare("DELETE FROM rejected_message WHERE sequence = ?");
  const rows = rejectedMessagesOf(sqlite, person);
  for (const { sequence } of rows) {
    remove.run(sequence);
  }
  return rows.length;
}

/** What remains must not name the person's messages, nor the person in an operator's words. */
function redactReasons(
  sqlite: Sqlite,
  matcher: PersonMatcher,
  messages: readonly MessageKey[],
): TableErasure[] {
  const gone = new Set(messages.map(([, messageId]) => `message ${messageId}`));
  return ["identifier_link", "identifier_separation", "customer_change"].map((table) => {
    const reasons = sqlite
      .prepare<[], string>(`SELECT DISTINCT reason FROM ${table}`)
      .pluck()
      .all();
    const update = sqlite.prepare(`UPDATE ${table} SET reason = ? WHERE reason = ?`);
    const changed = reasons
      .filter((reason) => gone.has(reason) || matcher.holds(reason))
      .reduce((sum, reason) => sum + update.run(ERASED, reason).changes, 0);
    return { table, removed: 0, changed };
  });
}

/** Others' traits that are one of the person's identifiers, such as an e-mail address that both gave. */
function redactTraits(sqlite: Sqlite, matcher: PersonMatcher): number {
  const values = sqlite.prepare<[], string>("SELECT DISTINCT value FROM trait").pluck().all();
  const update = sqlite.prepare("UPDATE trait SET value = ? WHERE value = ?");
  let changed = 0;
  for (const value of values) {
    const redacted = matcher.redact(value);
    if (redacted !== value) {
      changed += update.run(redacted ?? JSON.stringify(ERASED), value).changes;
    }
  }
  return changed;
}

/** Others' lines that name the person, such as by a user id that many share. */
function forgetNames(sqlite: Sqlite, { identifiers }: Person): number {
  const texts = identifiers.map(({ type, value }) =>
    type === "user_id" || type === "anonymous_id" ? value : writtenAs([type, value]),
  );
  return sqlite
    .prepare(
      "UPDATE recent_event SET person = NULL WHERE person IN (SELECT value FROM json_each(?))",
    )
    .run(JSON.stringify(texts)).changes;
}

/** Counts of members and predictions say what is there. */
function recount(sqlite: Sqlite): void {
  sqlite.exec(
    `UPDATE audience SET member_count = (SELECT count(*) FROM audience_member m WHERE m.name = audience.name AND m.version = audience.version);
     UPDATE prediction_run SET row_count = (SELECT count(*) FROM prediction p WHERE p.run_id = prediction_run.id) WHERE is_current = 1;`,
  );
}
