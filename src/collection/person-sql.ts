import { literal } from "../base/index.ts";
import { CHANNELS, PURPOSES } from "./event.ts";
import { CHANNEL_OF_EVENT } from "./event-names.ts";
import { type CellOf, firstSql, presentSql, textSql } from "./field-sql.ts";
import { compareIdentifierTypes } from "./identifier.ts";
import type { ChannelField, Fields, IdentifierField, StatementField } from "./mapping-fields.ts";

/** One column that may hold an identifier, and the country that numbers without a code belong to. */
export interface IdentifierSlot {
  readonly type: string;
  readonly field: IdentifierField;
  readonly region: string | undefined;
  /** Which part of the mapping names it. */
  readonly part: number;
}

/** The identifiers of all parts of a mapping, the strongest type first. */
export function identifierSlots(
  parts: readonly { readonly fields: Fields }[],
  region: string | undefined,
): IdentifierSlot[] {
  return parts
    .flatMap(({ fields }, part) =>
      Object.entries(fields.identifiers ?? {}).flatMap(([type, specs]) =>
        specs.map((field) => ({ type, field, region: field.region ?? region, part })),
      ),
    )
    .sort((a, b) => compareIdentifierTypes(a.type, b.type));
}

/** The raw text of each slot as a list, NULL in those of other parts. */
export function rawIdentifiersSql(
  slots: readonly IdentifierSlot[],
  part: number,
  cell: CellOf,
): string {
  const texts = slots.map((slot) =>
    slot.part === part ? presentSql(slot.field, cell) : "CAST(NULL AS VARCHAR)",
  );
  return `[${texts.join(", ")}]`;
}

/** A text as JSON; NULL stays NULL. */
function jsonSql(text: string): string {
  return `CAST(to_json(${text}) AS VARCHAR)`;
}

/** Members of a JSON object, comma between; NULL where there are none. */
function membersSql(members: readonly (readonly [string, string])[]): string {
  const parts = members.map(
    ([name, value]) => `${literal(`${JSON.stringify(name)}:`)} || ${value}`,
  );
  return `nullif(concat_ws(',', ${parts.join(", ")}), '')`;
}

function objectSql(members: readonly (readonly [string, string])[]): string {
  return `'{' || ${membersSql(members)} || '}'`;
}

/** The traits as a JSON object, a dotted name inside an object of its own; NULL where nothing is stated. */
export function traitsSql(traits: NonNullable<Fields["traits"]>, cell: CellOf): string {
  const members = new Map<string, string | [string, string][]>();
  for (const [name, spec] of Object.entries(traits)) {
    const [outer = name, inner] = name.split(".");
    const value = jsonSql(textSql(spec, cell));
    if (inner === undefined) {
      members.set(outer, value);
    } else {
      const object = members.get(outer);
      members.set(outer, [...(Array.isArray(object) ? object : []), [inner, value]]);
    }
  }
  return objectSql(
    [...members].map(([name, value]) => [name, Array.isArray(value) ? objectSql(value) : value]),
  );
}

/** What the row states of purposes as a JSON object, with the jurisdiction; NULL where it states nothing. */
export function consentSql(consent: NonNullable<Fields["consent"]>, cell: CellOf): string {
  const stated = PURPOSES.flatMap((purpose): [string, string][] => {
    const statement = consent[purpose];
    return statement === undefined ? [] : [[purpose, statementSql(statement, cell)]];
  });
  const jurisdiction =
    consent.jurisdiction === undefined
      ? "''"
      : `coalesce(',"jurisdiction":' || ${jsonSql(textSql(consent.jurisdiction, cell))}, '')`;
  return stated.length === 0
    ? "CAST(NULL AS VARCHAR)"
    : `'{' || ${membersSql(stated)} || ${jurisdiction} || '}'`;
}

function statementSql(statement: StatementField, cell: CellOf): string {
  const text = `lower(${firstSql(statement, cell)})`;
  const list = (texts: readonly string[]): string =>
    texts.length === 0 ? "('')" : `(${texts.map((one) => literal(one.toLowerCase())).join(", ")})`;
  return `CASE WHEN ${text} IN ${list(statement.granted)} THEN 'true' WHEN ${text} IN ${list(statement.denied)} THEN 'false' END`;
}

/** The stated channel where it is one, else the one that the event's name says; CRM rows are of the CRM. */
export function channelSql(
  spec: ChannelField | undefined,
  isIdentify: boolean,
  event: string,
  cell: CellOf,
): string {
  if (spec !== undefined && "value" in spec) {
    return literal(spec.value);
  }
  const byName = isIdentify ? literal("crm") : channelOfEventSql(event);
  if (spec === undefined) {
    return byName;
  }
  const text = firstSql(spec, cell);
  const names = Object.entries(spec.names).map(
    ([theirs, ours]) => `WHEN ${text} = ${literal(theirs)} THEN ${literal(ours)}`,
  );
  const channels = CHANNELS.map((channel) => literal(channel)).join(", ");
  return `coalesce(CASE ${names.join(" ")} WHEN lower(${text}) IN (${channels}) THEN lower(${text}) END, ${byName})`;
}

function channelOfEventSql(event: string): string {
  const names = [...CHANNEL_OF_EVENT];
  const cases = CHANNELS.flatMap((channel) => {
    const own = names.filter(([, one]) => one === channel).map(([name]) => literal(name));
    return own.length === 0
      ? []
      : [`WHEN ${event} IN (${own.join(", ")}) THEN ${literal(channel)}`];
  });
  return `CASE ${cases.join(" ")} END`;
}
