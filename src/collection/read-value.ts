import { parseInstant, ServiceError } from "../base/index.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** A value that can't be read: where it stands and what was expected. */
export interface Fault {
  readonly field: string;
  readonly reason: string;
}

/**
 * These readers are written by hand, without closures, because every call passes through them: with
 * schemas the server's CPU time was 81 µs a call, with these 45 (medians of three alternating runs of
 * bench/ingest's load, 40,000 calls). Each returns what it could read and adds what it could not to `faults`.
 */

const TEXT_LENGTH_MAX = 1_000;
const NUMBER_MAX = 1_000_000_000;

/** What neither database keeps as it is: NUL and halves of surrogate pairs. */
const UNWRITABLE = /[\0\p{Surrogate}]/u;

/** Text to store, trimmed; a number becomes text, and nothing (or only spaces) is null. */
export function readText(
  given: unknown,
  field: string,
  faults: Fault[],
  lengthMax = TEXT_LENGTH_MAX,
): string | null {
  if (given === undefined || given === null) {
    return null;
  }
  if (typeof given !== "string" && !isFiniteNumber(given)) {
    faults.push({ field, reason: "expected text" });
    return null;
  }
  const text = String(given).trim();
  if (text.length > lengthMax) {
    faults.push({ field, reason: `expected at most ${lengthMax} characters` });
  } else if (UNWRITABLE.test(text)) {
    faults.push({ field, reason: "expected Unicode text without NUL" });
  } else {
    return text === "" ? null : text;
  }
  return null;
}

/** The text where it is some and can be stored, else undefined; for what may be left out. */
export function storableText(given: unknown, lengthMax = TEXT_LENGTH_MAX): string | undefined {
  return readText(given, "", [], lengthMax) ?? undefined;
}

/** A number within a thousand million, or decimal text of one, as some SDKs write prices. */
export function readNumber(given: unknown, field: string, faults: Fault[]): number | null {
  if (given === undefined || given === null || given === "") {
    return null;
  }
  const isDecimal =
    typeof given === "number" || (typeof given === "string" && /^\s*-?\d+(\.\d+)?\s*$/.test(given));
  if (!isDecimal) {
    faults.push({ field, reason: "expected a number" });
    return null;
  }
  const number = Number(given);
  if (!(Math.abs(number) <= NUMBER_MAX)) {
    faults.push({ field, reason: `expected a number of at most ${NUMBER_MAX}` });
    return null;
  }
  return number;
}

const INSTANT_EXPECTED = "expected an ISO 8601 instant with a zone";

/** ISO 8601 with a zone as epoch milliseconds; finer fractions are cut, and days have to exist. */
export function readInstant(given: unknown, field: string, faults: Fault[]): number | null {
  if (given === undefined || given === null) {
    return null;
  }
  if (typeof given !== "string") {
    faults.push({ field, reason: INSTANT_EXPECTED });
    return null;
  }
  const parsed = isRealDay(given) ? parsedInstant(given) : undefined;
  if (parsed === undefined) {
    faults.push({ field, reason: `${INSTANT_EXPECTED}, such as 2011-09-17T08:00:00Z` });
    return null;
  }
  if (parsed < 0) {
    faults.push({ field, reason: "lies before 1970" });
    return null;
  }
  return parsed;
}

const USUAL_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

function parsedInstant(text: string): number | undefined {
  if (USUAL_INSTANT.test(text)) {
    const parsed = Date.parse(text);
    return Number.isNaN(parsed) ? undefined : parsed;
  }
  try {
    return parseInstant(text.replace(/(\.\d{6})\d+/, "$1"), "time");
  } catch (error) {
    if (!(error instanceof ServiceError)) {
      throw error;
    }
    return undefined;
  }
}

/** JavaScript reads the 30th of February as a day of March. */
function isRealDay(text: string): boolean {
  const day = Number(text.slice(8, 10));
  return (
    day <= 28 ||
    day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate()
  );
}

const EMPTY: JsonObject = {};

/** An object, empty where there is none; PHP writes an empty one as []. */
export function readObject(given: unknown, field: string, faults: Fault[]): JsonObject {
  if (given === undefined || given === null) {
    return EMPTY;
  }
  if (isObject(given)) {
    return given;
  }
  if (!Array.isArray(given) || given.length > 0) {
    faults.push({ field, reason: "expected an object" });
  }
  return EMPTY;
}

/** The object that stands there; an empty one where something else does. */
export function objectIn(from: JsonObject, name: string): JsonObject {
  const found = from[name];
  return isObject(found) ? found : EMPTY;
}

/** What stands at a path of names; undefined where nothing does. */
export function valueAt(from: unknown, path: readonly string[]): unknown {
  let value = from;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = value[name];
  }
  return value;
}

export function isObject(given: unknown): given is JsonObject {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

function isFiniteNumber(given: unknown): given is number {
  return typeof given === "number" && Number.isFinite(given);
}

/** An escape that JSON can write and a database can't keep, after an even number of backslashes. */
const UNWRITABLE_ESCAPE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** JSON text in which what no database keeps is U+FFFD. */
export function writableJson(value: JsonObject): string {
  const text = JSON.stringify(value);
  return text.includes("\\u")
    ? text.replace(UNWRITABLE_ESCAPE, (_escape, before: string) => `${before}\ufffd`)
    : text;
}

/** Deeper than any call needs, and far from where the stack ends. */
const DEPTH_MAX = 100;
/** Of a character, as an escape (`\u0000`); of a number, such as -1.2345678901234567e-300; of a quoted, separated name. */
const CHARACTER_BYTES_MAX = 6;
const NUMBER_BYTES_MAX = 26;
const AROUND_BYTES = 4;

/**
 * The most bytes that a value of parsed JSON can take as JSON again, without writing it (1 µs a call against 4);
 * infinite where it is nested more than 100 deep.
 */
export function jsonBytesAtMost(value: unknown, depth = 0): number {
  if (typeof value === "string") {
    return CHARACTER_BYTES_MAX * value.length + AROUND_BYTES;
  }
  if (typeof value !== "object" || value === null) {
    return NUMBER_BYTES_MAX;
  }
  if (depth > DEPTH_MAX) {
    return Infinity;
  }
  let bytes = AROUND_BYTES;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += jsonBytesAtMost(item, depth + 1);
    }
    return bytes;
  }
  for (const name in value) {
    bytes += CHARACTER_BYTES_MAX * name.length + AROUND_BYTES;
    bytes += jsonBytesAtMost((value as JsonObject)[name], depth + 1);
  }
  return bytes;
}
