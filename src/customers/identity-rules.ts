import { z } from "zod";
import { ServiceError } from "../base/index.ts";
import { compareIdentifierTypes, IDENTIFIER_TYPE_PATTERN } from "../collection/index.ts";

/** An identifier's type and value, normalised. */
export interface Identifier {
  readonly type: string;
  readonly value: string;
}

/** An identifier as one text, to look it up by. */
export function identifierKey({ type, value }: Identifier): string {
  return `${type}\n${value}`;
}

const typeName = z.string().regex(IDENTIFIER_TYPE_PATTERN, "expected a type such as loyalty_id");

const rulesSchema = z.strictObject({
  /** How many identifiers of a type one customer may have; 1 means that two never join. */
  caps: z.record(typeName, z.int().min(1)).default({}),
  /** How many identifiers of any other type. */
  otherCap: z.int().min(1).default(20),
  /** An identifier linked to more stronger ones than this is shared (a till's e-mail, a kiosk) and joins nobody. */
  sharedAfter: z.int().min(1).default(10),
  /** Values that are nobody's, without regard to case, for all types. */
  blocklist: z.array(z.string().min(1)).default([]),
  /** The same as regular expressions (JavaScript's), over `type:value` in lower case. */
  blockPatterns: z.array(z.string().min(1)).default([]),
});

/** How identifiers join into customers; what is not stated has a default. */
export type IdentityRules = z.output<typeof rulesSchema>;

const CAPS: Readonly<Record<string, number>> = {
  user_id: 1,
  loyalty_id: 5,
  crm_id: 5,
  email: 10,
  phone: 10,
  anonymous_id: 1_000,
};

/** What programs write where they mean nobody; seen in shops and in other platforms' merge accidents. */
const JUNK = new Set(
  (
    "null,undefined,none,nil,nan,n/a,na,unknown,anonymous,anon,guest,user,test,admin,default,empty,not set,(not set),not_set," +
    "[object object],true,false,0,-1,00000000-0000-0000-0000-000000000000,id,userid,user_id,email,distinct_id,anonymous_id,anonymousid,distinctid,{{user_id}}"
  ).split(","),
);
const JUNK_PATTERNS: readonly RegExp[] = [
  /^[^:]*:[0\p{P}\p{S}\s]+$/u,
  /^email:(guest|noreply|no-reply|donotreply|do-not-reply|none|null|unknown|anonymous|nomail|noemail|no-email|test)@/,
  /^email:.*@([^@]*\.)?(test|invalid|localhost)$/,
  /^phone:\+?(\d)\1{6,}$/,
];

/** Rules from parsed JSON. Throws a ServiceError that names the field and what was expected. */
export function parseIdentityRules(value: unknown): IdentityRules {
  const parsed = rulesSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue === undefined || issue.path.length === 0 ? "rules" : issue.path.join(".");
    throw new ServiceError("invalid-input", `rules: ${field}: ${issue?.message ?? "invalid"}`, {
      field,
    });
  }
  for (const pattern of parsed.data.blockPatterns) {
    try {
      new RegExp(pattern);
    } catch (error) {
      throw new ServiceError("invalid-input", `rules: blockPatterns: no expression: ${pattern}`, {
        field: "blockPatterns",
        cause: error,
      });
    }
  }
  return parsed.data;
}

/** The rules where nobody has stated any. */
export const DEFAULT_RULES: IdentityRules = parseIdentityRules({});

/** How many identifiers of a type a customer may have. */
export function capOf(rules: IdentityRules, type: string): number {
  return rules.caps[type] ?? CAPS[type] ?? rules.otherCap;
}

/** Whether values are nobody's: junk, zeros, and what the operator lists. */
export function blocker(rules: IdentityRules): (type: string, value: string) => boolean {
  const listed = new Set(rules.blocklist.map((value) => value.toLowerCase()));
  const patterns = [...JUNK_PATTERNS, ...rules.blockPatterns.map((source) => new RegExp(source))];
  return (type, value) => {
    const text = value.trim().toLowerCase();
    return (
      text === "" ||
      JUNK.has(text) ||
      listed.has(text) ||
      patterns.some((pattern) => pattern.test(`${type}:${text}`))
    );
  };
}

/** Sorts identifiers, the strongest type first, then by value. */
export function compareIdentifiers(a: Identifier, b: Identifier): number {
  return compareIdentifierTypes(a.type, b.type) || compareText(a.value, b.value);
}

/** By code units, as both databases sort. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
