import { normaliseIdentifier, regionOfPhone } from "../../collection/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { base64Patterns, base64Texts, decodings, encodedPattern } from "./spellings.ts";

/** Finds a person's identifiers in other data, however they are written. */
export interface PersonMatcher {
  /** Those long enough to be told from other text. */
  readonly distinctive: readonly Identifier[];
  /** Whether this is exactly this identifier. */
  isIdentifier(type: string, value: string): boolean;
  /** Whether a whole text is one of the identifiers; short ones only where `isNameField`. */
  isName(text: string, isNameField: boolean): boolean;
  /** Whether a distinctive identifier stands in a text as a word of its own, in either case, also where it is encoded. */
  holds(text: string): boolean;
  /** Whether any field of a JSON text (or of a delimited line) is one of the identifiers or holds one. */
  isIn(text: string): boolean;
  /** A JSON text with what `isIn` would find replaced; the same text where there is nothing; null where it can't be read. */
  redact(json: string): string | null;
  /** A list of [type, value] as JSON without the person's; null where nothing is left. */
  withoutNames(json: string): string | null;
}

/**
 * Whether a value is searched for in text and in bytes: at least six characters, and no number of up to eight
 * digits, which stands in prices, times and order numbers, too. Others are known only where an identifier stands.
 */
export function isDistinctive(value: string): boolean {
  return value.length >= 6 && !/^\d{1,8}$/.test(value);
}

/** What stands in the place of an identifier in others' data. */
export const ERASED = "[erased]";

/** Fields whose content is somebody's name in a system. */
const NAME_FIELD = /^id$|user|customer|client|member|visitor|anonymous|account|card|crm|loyalty/;
const PHONE = /\+?\d[\d\s().\-/]{5,}\d/g;

/** A matcher of a person's identifiers, normalised. */
export function createMatcher(identifiers: readonly Identifier[]): PersonMatcher {
  const exact = new Set(identifiers.map(({ type, value }) => `${type}\n${value}`));
  const values = new Set(identifiers.map(({ value }) => value));
  const phones = new Set(valuesOf(identifiers, "phone"));
  const emails = new Set(valuesOf(identifiers, "email"));
  const regions = [...new Set([...phones].map(regionOfPhone)), undefined];
  const distinctive = identifiers.filter(({ value }) => isDistinctive(value));
  const words = distinctive.map(({ value }) => wordPattern(value));
  const inBase64 = new RegExp(distinctive.flatMap(({ value }) => base64Patterns(value)).join("|"));

  const isPhone = (text: string): boolean =>
    phones.size > 0 &&
    /\d{5}/.test(text.replaceAll(/\D/g, "")) &&
    regions.some((region) => phones.has(normaliseIdentifier("phone", text, region) ?? ""));
  const isName = (text: string, isNameField: boolean): boolean => {
    const trimmed = text.trim();
    const isValue = values.has(trimmed) || values.has(trimmed.normalize("NFKC"));
    return (
      (isValue && (isNameField || isDistinctive(trimmed))) ||
      emails.has(normaliseIdentifier("email", trimmed) ?? "") ||
      isPhone(trimmed)
    );
  };
  const holdsPlainly = (text: string): boolean =>
    words.some((word) => word.test(text)) ||
    (phones.size > 0 && [...text.matchAll(PHONE)].some(([number]) => isPhone(number)));
  const holdsOf = (text: string): boolean =>
    holdsPlainly(text) ||
    (distinctive.length > 0 && inBase64.test(text) && base64Texts(text).some(holdsPlainly));
  const holds = (text: string): boolean => decodings(text).some(holdsOf);
  const isHit = (text: string, field: string): boolean =>
    decodings(text).some((one) => isName(one, isNameField(field)) || holdsOf(one));

  const redactValue = (value: unknown, field: string): unknown => {
    if (Array.isArray(value)) {
      return value.map((part) => redactValue(part, field));
    }
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, part]) => [
          isHit(name, "") ? ERASED : name,
          redactValue(part, name),
        ]),
      );
    }
    const isText = typeof value === "string" || typeof value === "number";
    return isText && isHit(String(value), field) ? ERASED : value;
  };
  const redact = (json: string): string | null => {
    const parsed = parse(json);
    if (parsed === undefined) {
      return fieldsOf(json).some((field) => isHit(field, "")) ? null : json;
    }
    const redacted = JSON.stringify(redactValue(parsed, ""));
    return redacted === JSON.stringify(parsed) ? json : redacted;
  };
  return {
    distinctive,
    isIdentifier: (type, value) => exact.has(`${type}\n${value}`),
    isName,
    holds,
    isIn: (text) => redact(text) !== text,
    redact,
    withoutNames: (json) => {
      const all = JSON.parse(json) as [string, string][];
      const left = all.filter(([type, value]) => !exact.has(`${type}\n${value}`));
      if (left.length === all.length) {
        return json;
      }
      return left.length === 0 ? null : JSON.stringify(left);
    },
  };
}

function valuesOf(identifiers: readonly Identifier[], type: string): string[] {
  return identifiers.filter((one) => one.type === type).map(({ value }) => value);
}

/** Whether a field of this name holds identifiers, by the words it is made of. */
export function isNameField(name: string): boolean {
  return NAME_FIELD.test(name.toLowerCase());
}

/** The value where nothing goes on before or behind it that would make it another. */
function wordPattern(value: string): RegExp {
  const text = value.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return value.includes("@")
    ? new RegExp(`(?<![\\p{L}\\p{N}._%+-])${text}(?![\\p{L}\\p{N}-]|\\.[\\p{L}\\p{N}])`, "iu")
    : new RegExp(`(?<![\\p{L}\\p{N}])${text}(?![\\p{L}\\p{N}])`, "iu");
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

/** The fields of a line that could not be read. */
function fieldsOf(line: string): string[] {
  return line.split(/[,;\t|\n]/).map((field) => field.replaceAll(/^\s*"?|"?\s*$/g, ""));
}

/**
 * SQL that is true of every text column value that might hold one of the identifiers, and of few
 * others: what to look at more closely.
 */
export function mentionSql(column: string, identifiers: readonly Identifier[]): string {
  const tests = identifiers
    .filter(({ value }) => isDistinctive(value))
    .flatMap(({ type, value }) => [
      ...(type === "phone"
        ? [
            `contains(regexp_replace(${column}, '[^0-9]', '', 'g'), '${value.replaceAll(/\D/g, "").slice(-8)}')`,
          ]
        : spellingsOf(value).map(
            (spelling) =>
              `contains(lower(${column}), '${spelling.toLowerCase().replaceAll("'", "''")}')`,
          )),
      `(regexp_matches(${column}, '[%&\\\\]') AND regexp_matches(${column}, ${inQuotes(encodedPattern(value))}))`,
      `regexp_matches(${column}, ${inQuotes(base64Patterns(value).join("|"))})`,
    ]);
  return tests.length === 0 ? "false" : tests.join(" OR ");
}

function inQuotes(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A value as it may stand in a file: as it is, and within JSON with and without non-ASCII characters. */
function spellingsOf(value: string): string[] {
  const escaped = JSON.stringify(value).slice(1, -1);
  const ascii = escaped.replaceAll(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return [...new Set([value, escaped, escaped.replaceAll("/", "\\/"), ascii])];
}
