/** What a person record may hold beside its `record_id`. Every field is text, and every one may be absent. */
export const PERSON_FIELDS = [
  "given_name",
  "family_name",
  "birth_date",
  "street",
  "postcode",
  "city",
  "email",
  "phone",
  "other_id",
] as const;

export type PersonField = (typeof PERSON_FIELDS)[number];
