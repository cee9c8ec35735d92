import type { Purpose } from "./event.ts";
import {
  compareIdentifierTypes,
  IDENTIFIER_TYPE_PATTERN,
  normaliseIdentifier,
} from "./identifier.ts";
import {
  isObject,
  type JsonObject,
  objectIn,
  storableText,
  valueAt,
  writableJson,
} from "./read-value.ts";
import type { SourceRules } from "./source-rules.ts";

/** Something to count besides the message itself: what kind of thing, and its name. */
export type Note = readonly [kind: string, name: string];

/** The parts of a call that say something of a person. */
export interface PersonalParts {
  readonly type: string;
  readonly userId: string | null;
  readonly anonymousId: string | null;
  readonly previousId: string | null;
  readonly properties: JsonObject;
  readonly traits: JsonObject;
  readonly context: JsonObject;
}

const IDENTIFIERS_MAX = 20;
const CATEGORIES_MAX = 100;

/**
 * What a call says of the person's traits, as JSON: those of an identify call, and those that any call's
 * context repeats. A group's traits are not the person's. Null where there are none.
 */
export function traitsOf(parts: PersonalParts): string | null {
  const traits = personTraits(parts);
  return Object.keys(traits).length === 0 ? null : writableJson(traits);
}

function personTraits({ type, traits, context }: PersonalParts): JsonObject {
  const repeated = objectIn(context, "traits");
  const all = type === "identify" ? { ...repeated, ...traits } : repeated;
  if (!Object.hasOwn(all, "__proto__")) {
    return all;
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => name !== "__proto__"));
}

type Candidate = readonly [type: string, raw: unknown];

/**
 * The identifiers a call names besides its user id and anonymous id, as JSON [[type, value], ...],
 * normalised, the strongest first; null where there are none. What can't be read, and whatever comes
 * after the twentieth, is noted and left out.
 */
export function identifiersOf(
  parts: PersonalParts,
  rules: SourceRules,
  notes: Note[],
): string | null {
  const found = new Map<string, Candidate & readonly [string, string]>();
  for (const [index, [type, raw]] of candidatesOf(parts, rules).entries()) {
    const isRead = index < IDENTIFIERS_MAX;
    const value = isRead ? identifierValue(type, raw, rules.region) : undefined;
    if (value === undefined) {
      notes.push(["identifier_dropped", type]);
    } else if (!isOwn(parts, type, value)) {
      found.set(`${type}\n${value}`, [type, value]);
    }
  }
  if (found.size === 0) {
    return null;
  }
  const sorted = [...found.values()].sort(
    (a, b) => compareIdentifierTypes(a[0], b[0]) || (a[1] < b[1] ? -1 : 1),
  );
  for (const [type] of sorted) {
    notes.push(["identifier", type]);
  }
  return JSON.stringify(sorted);
}

function candidatesOf(parts: PersonalParts, rules: SourceRules): Candidate[] {
  const { type, traits, context, properties } = parts;
  const candidates: Candidate[] = [];
  const contextTraits = objectIn(context, "traits");
  if (type === "identify") {
    addContacts(candidates, traits);
  }
  addContacts(candidates, contextTraits);
  addContacts(candidates, properties);
  for (const { type: declared, path } of rules.identifiers) {
    const isTrait = path[0] === "traits";
    const named = isTrait && type === "group" ? undefined : valueAt(parts, path);
    addAll(candidates, declared, named ?? (isTrait ? valueAt(context, path) : undefined));
  }
  const external = context["externalIds"];
  for (const one of Array.isArray(external) ? external.slice(0, IDENTIFIERS_MAX) : []) {
    const read = externalId(one);
    if (read !== undefined) {
      candidates.push(read);
    }
  }
  if (type === "alias") {
    addAll(candidates, "anonymous_id", parts.previousId);
  }
  return candidates;
}

function addContacts(candidates: Candidate[], place: JsonObject): void {
  addAll(candidates, "email", place["email"]);
  addAll(candidates, "phone", place["phone"]);
}

function addAll(candidates: Candidate[], type: string, given: unknown): void {
  if (given === undefined || given === null || given === "") {
    return;
  }
  for (const one of Array.isArray(given) ? given.slice(0, IDENTIFIERS_MAX) : [given]) {
    candidates.push([type, one]);
  }
}

/** An external id of a user that is not hashed; ids of accounts and other encodings are not read. */
function externalId(given: unknown): Candidate | undefined {
  if (!isObject(given)) {
    return undefined;
  }
  const { id, type, collection, encoding } = given;
  const isUser = collection === undefined || collection === null || collection === "users";
  const isPlain = encoding === undefined || encoding === null || encoding === "none";
  if (!isUser || !isPlain || typeof type !== "string" || id === undefined || id === null) {
    return undefined;
  }
  const name = type
    .trim()
    .toLowerCase()
    .replace(/[.\s-]+/g, "_");
  return IDENTIFIER_TYPE_PATTERN.test(name) ? [name, id] : undefined;
}

function identifierValue(
  type: string,
  raw: unknown,
  region: string | undefined,
): string | undefined {
  const text = storableText(raw);
  return text === undefined ? undefined : normaliseIdentifier(type, text, region);
}

function isOwn({ userId, anonymousId }: PersonalParts, type: string, value: string): boolean {
  return (
    (type === "user_id" && value === userId) || (type === "anonymous_id" && value === anonymousId)
  );
}

/**
 * What a call states of consent, as JSON of purposes and jurisdiction; null where it states nothing. The
 * categories of `context.consent.categoryPreferences` become purposes; where several mean one, a single
 * no decides. A category without a meaning, or neither true nor false, states nothing and is noted.
 */
export function consentOf(context: JsonObject, rules: SourceRules, notes: Note[]): string | null {
  const consent = context["consent"];
  if (consent === undefined || consent === null) {
    return null;
  }
  const stated: Partial<Record<Purpose, boolean>> = {};
  const categories = isObject(consent) ? objectIn(consent, "categoryPreferences") : {};
  for (const [category, given] of Object.entries(categories).slice(0, CATEGORIES_MAX)) {
    const purpose = rules.consent.get(category.trim().toLowerCase());
    const isGranted = grantOf(given);
    if (purpose === undefined || isGranted === undefined) {
      notes.push(["unknown_consent", category]);
    } else if (purpose !== null) {
      stated[purpose] = isGranted && stated[purpose] !== false;
    }
  }
  if (Object.keys(stated).length === 0) {
    return null;
  }
  const jurisdiction = jurisdictionOf(isObject(consent) ? consent : {}, context);
  return JSON.stringify(jurisdiction === undefined ? stated : { ...stated, jurisdiction });
}

/** True and false, and the words of Google's consent mode. */
function grantOf(given: unknown): boolean | undefined {
  if (typeof given === "boolean") {
    return given;
  }
  return given === "granted" ? true : given === "denied" ? false : undefined;
}

function jurisdictionOf(consent: JsonObject, context: JsonObject): string | undefined {
  return storableText(
    consent["jurisdiction"] ?? consent["country"] ?? objectIn(context, "location")["country"],
    64,
  );
}
