import { base64Patterns, ENCODED_LENGTH_MAX, encodedPattern } from "./spellings.ts";

/** How much of a file is looked at together. */
export const PIECE_BYTES = 4 * 2 ** 20;

/** Looks for values in bytes that come in pieces, one after the other. */
export interface ByteSearch {
  /** Whether any value stands in this piece, or begins in the one before and ends in it. */
  isIn(piece: Buffer): boolean;
}

/** Something may be encoded here: elsewhere a value can only stand as it is. */
const MARK = /%(?:25)*[2-7c-f][0-9a-f]|&#|&[a-z]{3,6};|\\u00/gi;

/** A search for values (six characters at least), in either case, as they are or encoded. */
export function openByteSearch(values: readonly string[]): ByteSearch {
  const longest = values.reduce((most, value) => Math.max(most, Buffer.byteLength(value)), 1);
  const reach = longest * ENCODED_LENGTH_MAX;
  const isIn = openSearch(values, true);
  let kept = "";
  return {
    isIn: (piece) => {
      const text = kept + piece.toString("latin1");
      kept = text.slice(-reach);
      return isIn(text);
    },
  };
}

/** The same in text. */
export function openTextSearch(values: readonly string[]): (text: string) => boolean {
  return openSearch(values, false);
}

function openSearch(values: readonly string[], bytes: boolean): (text: string) => boolean {
  const spelled = (value: string): string =>
    (bytes ? Buffer.from(value).toString("latin1") : value).toLowerCase();
  const plain = [
    ...new Set(values.flatMap((one) => [one, one.toLowerCase(), one.toUpperCase()]).map(spelled)),
  ];
  const encoded = new RegExp(values.map((value) => encodedPattern(value, bytes)).join("|"));
  const base64 = values.flatMap(base64Patterns).map((pattern) => new RegExp(pattern));
  const reach =
    values.reduce((most, value) => Math.max(most, Buffer.byteLength(value)), 1) *
    ENCODED_LENGTH_MAX;
  const isEncoded = (text: string): boolean => {
    let end = 0;
    for (const { index } of text.matchAll(MARK)) {
      if (index + reach > end) {
        const start = Math.max(0, index - reach);
        end = index + 2 * reach;
        if (encoded.test(text.slice(start, end))) {
          return true;
        }
      }
    }
    return false;
  };
  return (text) => {
    if (values.length === 0) {
      return false;
    }
    const lower = text.toLowerCase();
    return (
      plain.some((needle) => lower.includes(needle)) ||
      base64.some((pattern) => pattern.test(text)) ||
      isEncoded(text)
    );
  };
}
