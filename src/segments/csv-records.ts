/**
 * The records of a CSV text that comes in pieces (RFC 4180: quotes double inside quotes, a record may hold line
 * breaks), each as it stands, with its line break, and its fields.
 */
export async function* csvRecordsOf(
  pieces: AsyncIterable<string>,
): AsyncGenerator<{ readonly text: string; readonly fields: readonly string[] }> {
  let rest = "";
  let scanned = 0;
  let isQuoted = false;
  for await (const piece of pieces) {
    rest += piece;
    let start = 0;
    for (let index = scanned; index < rest.length; index++) {
      const character = rest.charCodeAt(index);
      if (character === QUOTE) {
        isQuoted = !isQuoted;
      } else if (character === LINE_FEED && !isQuoted) {
        const text = rest.slice(start, index + 1);
        yield { text, fields: fieldsOf(text) };
        start = index + 1;
      }
    }
    rest = rest.slice(start);
    scanned = rest.length;
  }
  if (rest !== "") {
    yield { text: rest, fields: fieldsOf(rest) };
  }
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const FIELD = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/gy;

function fieldsOf(record: string): string[] {
  return [...record.replace(/\r?\n$/, "").matchAll(FIELD)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}
