import type { PersonField } from "./fields.ts";

export type Person = Readonly<Partial<Record<PersonField, string>>>;

type Traits = Readonly<Record<string, unknown>>;

/** Where each field comes from, in order; after the traits of the Segment spec, in either spelling. */
const SOURCES: Readonly<Record<Exclude<PersonField, "other_id">, readonly string[]>> = {
  given_name: ["firstName", "first_name", "givenName", "given_name"],
  family_name: ["lastName", "last_name", "familyName", "family_name", "surname"],
  birth_date: ["birthday", "birthDate", "birth_date", "dateOfBirth", "date_of_birth"],
  street: ["address.street", "address.line1", "street"],
  postcode: ["address.postalCode", "address.postal_code", "address.zip", "postalCode", "zip"],
  city: ["address.city", "city"],
  email: ["email"],
  phone: ["phone", "address.phone"],
};

/** What a customer's traits say of the person; a whole `name` stands in for a missing first name. */
export function personOf(traits: Traits): Person {
  const found: Partial<Record<PersonField, string>> = {};
  for (const [field, names] of Object.entries(SOURCES) as [PersonField, readonly string[]][]) {
    const text = names.map((name) => textAt(traits, name)).find((one) => one !== undefined);
    if (text !== undefined) {
      found[field] = text;
    }
  }
  const name = textAt(traits, "name");
  return name === undefined || found.given_name !== undefined || found.family_name !== undefined
    ? found
    : { ...found, ...partsOf(name) };
}

/** "Jansen, Eva" and "Eva Jansen"; more than two words in the usual order. */
function partsOf(name: string): Person {
  const [family, given] = name.split(",").map((part) => part.trim());
  if (family && given) {
    return { given_name: given, family_name: family };
  }
  const [first = "", ...rest] = name.split(/\s+/);
  return rest.length === 0
    ? { family_name: first }
    : { given_name: first, family_name: rest.join(" ") };
}

function textAt(traits: Traits, path: string): string | undefined {
  const [name = "", inner] = path.split(".");
  const value = inner === undefined ? traits[name] : innerOf(traits[name], inner);
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.trim() !== "" ? text.trim() : undefined;
}

function innerOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
