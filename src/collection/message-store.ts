import { messageKey, type Sqlite } from "../base/index.ts";

/** Forgets that messages ever came, so that their ids, too, are gone. Call inside a transaction. */
export function forgetMessages(
  sqlite: Sqlite,
  messages: Iterable<readonly [source: string, messageId: string]>,
): number {
  const forget = sqlite.prepare("DELETE FROM message WHERE key = ?");
  let forgotten = 0;
  for (const [source, messageId] of messages) {
    forgotten += forget.run(messageKey(source, messageId)).changes;
  }
  return forgotten;
}
