import { type Random, seededRandom } from "../../src/base/index.ts";
import { PERSON_FIELDS, type PersonField } from "../../src/customers/duplicates/fields.ts";

/** A record of a generated person; `truth` is who it is. */
export type PersonRow = Readonly<Record<PersonField, string | null>> & {
  readonly record_id: string;
  readonly truth: string;
};

const SYLLABLES =
  "an el ma ri jo sa ber ton lin da vi os kar mel li na tor es ben hu go ra fi ste wil ke mo lu pe dri".split(
    " ",
  );
const LETTERS = "abcdefghijklmnopqrstuvwxyz".split(/(?=.)/);

/**
 * `count` records of generated people: some once, some up to four times with typing errors, swapped names
 * or days and months, other addresses and missing fields; every fourth person shares family name, address
 * and telephone with the one before. The same seed gives the same records.
 */
export function generatePeople(seed: number, count: number): PersonRow[] {
  const random = seededRandom(seed);
  const pools = {
    given: words(random, 600, 2, 3),
    family: words(random, 5000, 2, 4),
    street: words(random, 2000, 2, 4),
    city: words(random, 300, 2, 4),
  };
  const rows: PersonRow[] = [];
  let before: Person | undefined;
  for (let person = 0; rows.length < count; person++) {
    const original = personOf(random, pools, random.next() < 0.25 ? before : undefined);
    before = original;
    const copies = random.next() < 0.7 ? 1 : 2 + Math.floor(3 * random.next() ** 2);
    for (let copy = 0; copy < copies && rows.length < count; copy++) {
      const fields = copy === 0 ? original : corrupted(random, pools, original);
      rows.push({ record_id: `r${rows.length}`, truth: `p${person}`, ...withGaps(random, fields) });
    }
  }
  return rows;
}

type Person = Readonly<Record<PersonField, string>>;
type Pools = Readonly<Record<"given" | "family" | "street" | "city", readonly string[]>>;

function words(random: Random, count: number, shortest: number, longest: number): string[] {
  const made = new Set<string>();
  while (made.size < count) {
    const length = shortest + random.below(longest - shortest + 1);
    made.add(Array.from({ length }, () => pick(random, SYLLABLES)).join(""));
  }
  return [...made];
}

function pick(random: Random, from: readonly string[]): string {
  return from[random.below(from.length)] ?? "";
}

/** The first of a list are the common ones. */
function commonly(random: Random, from: readonly string[]): string {
  return from[Math.floor(from.length * random.next() ** 3)] ?? "";
}

function personOf(random: Random, pools: Pools, housemate: Person | undefined): Person {
  const given = commonly(random, pools.given);
  const family = housemate?.family_name ?? commonly(random, pools.family);
  const place = random.below(pools.city.length);
  return {
    given_name: given,
    family_name: family,
    birth_date: dateOf(random),
    street: housemate?.street ?? `${pick(random, pools.street)} street ${1 + random.below(150)}`,
    postcode: housemate?.postcode ?? String(1000 + 25 * place + random.below(25)),
    city: housemate?.city ?? pools.city[place] ?? "",
    email: emailOf(random, given, family),
    phone: housemate?.phone ?? phoneOf(random),
    other_id: "",
  };
}

function emailOf(random: Random, given: string, family: string): string {
  const domain = pick(random, ["gmail.com", "outlook.com", "ziggo.nl", "web.de", "me.com"]);
  return `${given}${pick(random, [".", "", "_"])}${family}${random.below(90)}@${domain}`;
}

function phoneOf(random: Random): string {
  return `06${String(10_000_000 + random.below(89_999_999))}`;
}

function dateOf(random: Random): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${1940 + random.below(65)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`;
}

function corrupted(random: Random, pools: Pools, person: Person): Person {
  const changed: Record<PersonField, string> = { ...person };
  if (random.next() < 0.5) {
    changed.email = emailOf(random, person.given_name, person.family_name);
  }
  if (random.next() < 0.3) {
    changed.phone = phoneOf(random);
  }
  if (random.next() < 0.25) {
    Object.assign(changed, moved(random, pools));
  }
  if (random.next() < 0.05) {
    changed.given_name = person.family_name;
    changed.family_name = person.given_name;
  }
  if (random.next() < 0.04) {
    changed.birth_date = person.birth_date.replace(/-(..)-(..)$/, "-$2-$1");
  }
  if (random.next() < 0.06) {
    changed.given_name = person.given_name.slice(0, 1);
  }
  for (const field of PERSON_FIELDS) {
    if (random.next() < 0.15) {
      changed[field] = mistyped(random, changed[field]);
    }
  }
  return changed;
}

function moved(random: Random, pools: Pools): Partial<Person> {
  const { street, postcode, city } = personOf(random, pools, undefined);
  return { street, postcode, city };
}

/** One insertion, deletion, substitution or transposition. */
function mistyped(random: Random, text: string): string {
  const at = random.below(Math.max(text.length, 1));
  const letter = /\d/.test(text[at] ?? "") ? String(random.below(10)) : pick(random, LETTERS);
  const [head, here, next] = [text.slice(0, at), text[at] ?? "", text[at + 1] ?? ""];
  const rest = text.slice(at + 1);
  return (
    [
      head + letter + here + rest,
      head + rest,
      head + letter + rest,
      head + next + here + rest.slice(1),
    ][random.below(4)] ?? text
  );
}

const MISSING: Readonly<Partial<Record<PersonField, number>>> = {
  birth_date: 0.4,
  phone: 0.3,
  street: 0.2,
  postcode: 0.2,
  email: 0.1,
  given_name: 0.05,
};

function withGaps(random: Random, person: Person): Record<PersonField, string | null> {
  const entries = PERSON_FIELDS.map((field) => {
    const isMissing = random.next() < (MISSING[field] ?? 0) || person[field] === "";
    return [field, isMissing ? null : person[field]] as const;
  });
  return Object.fromEntries(entries) as Record<PersonField, string | null>;
}
