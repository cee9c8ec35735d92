import { createHash } from "node:crypto";
import type { Part } from "./mapping.ts";

/** Whether rows say how somebody is now: CRM rows without an id and a time of their own. */
export function isStatePart({ type, fields }: Part): boolean {
  return (
    type === "identify" && fields.messageId === undefined && typeof fields.occurredAt !== "object"
  );
}

/**
 * What such rows speak about, as 8 hexadecimal digits that their ids begin with: the same for another
 * format or other columns, another for a file that says other things of the same people.
 */
export function stateKind({ fields }: Part): string {
  const { identifiers = {}, traits = {}, consent = {} } = fields;
  const names = [
    fields.userId === undefined ? [] : ["user"],
    fields.anonymousId === undefined ? [] : ["visitor"],
    ...[identifiers, traits, consent].map((object) => Object.keys(object).sort()),
  ];
  return createHash("sha256").update(JSON.stringify(names)).digest("hex").slice(0, 8);
}
