import {
  type CountryCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from "libphonenumber-js/max";

/**
 * Types of identifiers with a meaning of their own, the strongest first; a shop may declare others (a
 * card number, another system's key), which stand between `crm_id` and `email`.
 */
export const IDENTIFIER_TYPES = [
  "user_id",
  "loyalty_id",
  "crm_id",
  "email",
  "phone",
  "anonymous_id",
] as const;

/** How a type is written. */
export const IDENTIFIER_TYPE_PATTERN = /^[a-z][a-z0-9_]{0,62}$/;

const LENGTH_MAX = 256;
const EMAIL = /^[^\s@"(),:;<>[\]\\]+@[^\s@.]+(\.[^\s@.]+)+$/u;

/** Where declared types stand among IDENTIFIER_TYPES. */
const DECLARED_POSITION = 2.5;

/** Sorts types: negative where `a` is stronger; declared types by name. */
export function compareIdentifierTypes(a: string, b: string): number {
  return positionOf(a) - positionOf(b) || (a < b ? -1 : a > b ? 1 : 0);
}

function positionOf(type: string): number {
  const position = (IDENTIFIER_TYPES as readonly string[]).indexOf(type);
  return position === -1 ? DECLARED_POSITION : position;
}

/**
 * An identifier in the one form it is kept in, or undefined where it can't be one. E-mail addresses in
 * lower case (RFC 5321 leaves the local part to its host; no provider in use tells case apart; dots and
 * tags stay, since only some hosts ignore them); phone numbers in E.164, those without a country code
 * read as numbers of `region` (ISO 3166-1 alpha-2); others trimmed, at most 256 characters.
 */
export function normaliseIdentifier(
  type: string,
  raw: string,
  region?: string,
): string | undefined {
  const text = raw.normalize("NFKC").trim();
  if (text === "" || text.length > LENGTH_MAX) {
    return undefined;
  }
  if (type === "email") {
    const email = text.replace(/^mailto:/i, "").toLowerCase();
    return EMAIL.test(email) ? email : undefined;
  }
  return type === "phone" ? phoneOf(text, region) : text;
}

function phoneOf(text: string, region: string | undefined): string | undefined {
  const country = region?.toUpperCase();
  const international = text.replace(/^00/, "+");
  const phone = parsePhoneNumberFromString(
    international,
    country !== undefined && isSupportedCountry(country)
      ? (country satisfies CountryCode)
      : undefined,
  );
  return phone?.isValid() === true ? phone.number : undefined;
}

/** The country of a phone number in E.164, as ISO 3166-1 alpha-2; undefined for other text. */
export function regionOfPhone(phone: string): string | undefined {
  return parsePhoneNumberFromString(phone)?.country;
}
