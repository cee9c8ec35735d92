/** How a value may stand in text or bytes that somebody encoded. */

/** An identifier is at most so many times as long where every character of it is encoded. */
export const ENCODED_LENGTH_MAX = 16;

const NAMED: Readonly<Record<string, string>> = {
  "@": "commat",
  ".": "period",
  "+": "plus",
  _: "lowbar",
  "&": "amp",
  "/": "sol",
  ":": "colon",
};

/**
 * The source of a regular expression that finds a value with each character in either case, as it is or
 * percent-encoded (once or more), as an HTML entity or as an escape of JSON, mixed at will. It is valid for
 * JavaScript and RE2. `bytes` is for text that was read as latin1.
 */
export function encodedPattern(value: string, bytes = false): string {
  return Array.from(value, (character) => characterPattern(character, bytes)).join("");
}

function characterPattern(character: string, bytes: boolean): string {
  const cases = [...new Set([character, character.toLowerCase(), character.toUpperCase()])].filter(
    (one) => Array.from(one).length === 1,
  );
  const named = NAMED[character];
  const alternatives = cases.flatMap((one) => {
    const utf8 = Buffer.from(one);
    const code = one.codePointAt(0) ?? 0;
    return [
      escaped(bytes ? utf8.toString("latin1") : one),
      [...utf8].map((byte) => `%(?:25)*${hexPattern(byte, 2)}`).join(""),
      `&#(?:0*${code}|[xX]0*${hexPattern(code, 1)});?`,
      ...[...one.split("")]
        .map((unit) => `\\\\+u${hexPattern(unit.charCodeAt(0), 4)}`)
        .slice(0, one.length === 1 ? 1 : 0),
    ];
  });
  return `(?:${[...alternatives, ...(named === undefined ? [] : [`&${named};`])].join("|")})`;
}

function hexPattern(value: number, digits: number): string {
  return value
    .toString(16)
    .padStart(digits, "0")
    .replaceAll(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Sources of regular expressions that find a value in base64 or base64url of a longer text, in either case of
 * each letter: one for each of the three ways in which it may lie across the characters.
 */
export function base64Patterns(value: string): string[] {
  // A letter's case is one bit; no character of base64 holds that bit of two letters.
  const bits = [...Buffer.from(value)].flatMap((byte) => {
    const isLetter = /[a-z]/i.test(String.fromCharCode(byte)) && byte < 128;
    return Array.from({ length: 8 }, (_, index) =>
      isLetter && index === 2 ? undefined : (byte >> (7 - index)) & 1,
    );
  });
  return [0, 4, 2].map((skipped) => {
    let pattern = "";
    for (let at = skipped; at + 6 <= bits.length; at += 6) {
      pattern += sextetPattern(bits.slice(at, at + 6));
    }
    return pattern;
  });
}

function sextetPattern(bits: readonly (number | undefined)[]): string {
  const values = bits.reduce<number[]>(
    (all, bit) =>
      bit === undefined
        ? all.flatMap((value) => [2 * value, 2 * value + 1])
        : all.map((value) => 2 * value + bit),
    [0],
  );
  const texts = values.map((value) =>
    value === 62 ? "(?:[+-]|%2[bB])" : value === 63 ? "(?:[/_]|%2[fF])" : (ALPHABET[value] ?? ""),
  );
  const isPlain = texts.every((text) => text.length === 1);
  return texts.length === 1
    ? (texts[0] ?? "")
    : isPlain
      ? `[${texts.join("")}]`
      : `(?:${texts.join("|")})`;
}

const DECODINGS_MAX = 4;

/** A text, and what it is when it is decoded once, twice and so on; itself alone where nothing is encoded. */
export function decodings(text: string): string[] {
  const all = [text];
  for (let step = 0; step < DECODINGS_MAX; step++) {
    const last = all[all.length - 1] ?? "";
    const decoded = /[%&\\]/.test(last) ? decodedOnce(last) : last;
    if (decoded === last) {
      return all;
    }
    all.push(decoded);
  }
  return all;
}

const NAMES = new Map(Object.entries(NAMED).map(([character, name]) => [name, character]));

function decodedOnce(text: string): string {
  return text
    .replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) =>
      Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"),
    )
    .replaceAll(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));?/gi, (all, hex?: string, decimal?: string) => {
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    })
    .replaceAll(/&([a-z]{3,6});/g, (all, name: string) => NAMES.get(name) ?? all)
    .replaceAll(/\\+u([0-9a-f]{4})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** What every run of base64 in a text may say, wherever it begins. */
export function base64Texts(text: string): string[] {
  return [...text.matchAll(/[A-Za-z0-9+/_-]{7,}/g)].flatMap(([run]) =>
    [0, 1, 2, 3].map((offset) => Buffer.from(run.slice(offset), "base64").toString("utf8")),
  );
}
