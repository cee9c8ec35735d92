import { literal } from "../base/index.ts";
import { numberSql, timeExpectation } from "./field-sql.ts";
import type { Part } from "./mapping.ts";
import type { TimeField } from "./mapping-fields.ts";

/** How far ahead of now an event may lie (clock skew) before it is refused. */
const FUTURE_TOLERANCE_MS = 86_400_000;

/** A quantity, a price or a cost beyond this is a fault of the file. */
const LARGEST_NUMBER = 1e9;

/** What decides whether an event line can be kept. */
interface Checked {
  readonly part: Part;
  readonly shape: { readonly format: string };
  readonly slots: readonly unknown[];
  readonly now: number;
}

/** `{field, reason}` of the first field that can't be read, or NULL. */
export function errorSql({ part, shape, now, slots }: Checked): string {
  const { fields } = part;
  const reason = (test: string, field: string, text: string): string =>
    `WHEN ${test} THEN {'field': ${literal(field)}, 'reason': ${text}}`;
  const numbers = (["quantity", "price", "cost"] as const).filter(
    (name) => fields[name] !== undefined,
  );
  // A cost stands on the first line only, but is read on each.
  const parsed = (name: (typeof numbers)[number]): string =>
    name === "cost" ? numberSql(fields.cost, "cost_text") : name;
  const known =
    slots.length === 0
      ? ""
      : " AND len(list_filter(identifier_texts, lambda one: one IS NOT NULL)) = 0";
  const future = now + FUTURE_TOLERANCE_MS;
  return `CASE
    ${shape.format === "jsonl" ? "WHEN is_blank THEN NULL" : ""}
    ${reason("NOT is_readable", "line", "'not valid JSON'")}
    ${typeof fields.occurredAt === "object" ? occurredErrors(fields.occurredAt, reason) : ""}
    ${reason("known_at_ms IS NULL", "knownAt", "'missing or not a time'")}
    ${reason(`occurred_at_ms > ${future}`, "occurredAt", "'lies in the future: ' || occurred_text")}
    ${reason("occurred_at_ms < 0", "occurredAt", "'lies before 1970: ' || occurred_text")}
    ${reason(`known_at_ms > ${future}`, "knownAt", "'lies in the future'")}
    ${reason("known_at_ms < 0", "knownAt", "'lies before 1970'")}
    ${part.type === "identify" ? reason(`user_id IS NULL AND anonymous_id IS NULL${known}`, "userId", "'missing, and so are all identifiers'") : reason("event IS NULL", "event", "'missing, or no rule of the mapping matches'")}
    ${fields.messageId === undefined ? "" : reason("given_id IS NULL", "messageId", "'missing'")}
    ${numbers.map((name) => reason(`${name}_text IS NOT NULL AND ${parsed(name)} IS NULL`, name, `'expected a number, got "' || ${name}_text || '"'`)).join("\n    ")}
    ${numbers.map((name) => reason(`abs(${parsed(name)}) > ${LARGEST_NUMBER}`, name, `'impossible value: ' || ${name}_text`)).join("\n    ")}
    END`;
}

function occurredErrors(
  spec: TimeField,
  reason: (test: string, field: string, text: string) => string,
): string {
  const expected = `'expected a time (${timeExpectation(spec)}), got "' || occurred_text || '"'`;
  return `${reason("occurred_text IS NULL", "occurredAt", "'missing'")}
    ${reason("occurred_at_ms IS NULL", "occurredAt", expected)}`;
}
