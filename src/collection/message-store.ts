import type { Sqlite } from "../base/index.ts";

/** Forgets that messages ever came, so that their ids, too, are gone. Call inside a transaction. */
export function forgetMessages(
  sqlite: Sqlite,
  messages: Iterable<readonly [source: string, messageId: string]>,
): number {
  const forget = sqlite.prepare("DELETE FROM message WHERE source = ? AND message_id = ?");
  let forgotten = 0;
  for (const [source, messageId] of messages) {
    forgotten += forget.run(source, messageId).changes;
  }
  return forgotten;
}
