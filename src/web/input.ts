import { z } from "zod";
import { nearest, ServiceError } from "../base/index.ts";

/** Parameters as the schema says. Throws `invalid-input` naming the field; values are not repeated. */
export function parseInput<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) {
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw unknownParameter(issue.keys, Object.keys(schema.shape));
  }
  const field = issue?.path.join(".") ?? "";
  throw new ServiceError("invalid-input", `${field}: ${issue?.message ?? "invalid"}`, { field });
}

function unknownParameter(keys: readonly string[], known: readonly string[]): ServiceError {
  const field = keys.join(", ");
  const taken =
    known.length === 0
      ? "this address takes none"
      : `nearest: ${nearest(keys[0] ?? "", known)[0] ?? ""}; this address takes ${known.join(", ")}`;
  return new ServiceError("invalid-input", `${field}: no such parameter; ${taken}`, { field });
}

/** Number() reads "" as 0 and takes hexadecimal; a parameter is decimal or refused. */
function decimal(text: unknown): unknown {
  return typeof text === "string" && /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text)
    ? Number(text)
    : text;
}

/** A number parameter within [from, to]. */
export function numberParameter(from: number, to: number, expected: string): z.ZodType<number> {
  return z.preprocess(decimal, z.number(expected).min(from, expected).max(to, expected));
}

/** How many to a page. */
export const DEFAULT_LIMIT = 100;
const WHOLE_PAGE = "expected a whole number from 1 to 1000";

export const limitParameter = z
  .preprocess(
    decimal,
    z.int(WHOLE_PAGE).min(1, WHOLE_PAGE).max(1000, WHOLE_PAGE).meta({ default: DEFAULT_LIMIT }),
  )
  .optional()
  .meta({ description: `how many to a page; ${DEFAULT_LIMIT} unless given` });

const CURSOR = "expected page.next of an earlier answer from this address";

/** Where the next page begins, opaque to the caller; `parts` is what it holds. */
export function cursorParameter<Parts extends z.ZodType<readonly (string | number)[]>>(
  parts: Parts,
): z.ZodOptional<z.ZodType<z.output<Parts>>> {
  const cursor = z.string(CURSOR).transform((text, check): z.output<Parts> => {
    const decoded = parts.safeParse(partsOf(text));
    if (!decoded.success || encodeCursor(decoded.data) !== text) {
      check.addIssue(CURSOR);
      return z.NEVER;
    }
    return decoded.data;
  });
  return cursor.optional().meta({ description: "page.next of the answer before" });
}

function partsOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** The cursor that holds these parts. */
export function encodeCursor(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts), "utf8").toString("base64url");
}

/** A page of `limit` out of up to one more than that, and the cursor after it. */
export function pageOf<Item>(
  found: readonly Item[],
  limit: number,
  cursorAfter: (last: Item) => readonly (string | number)[],
): {
  readonly data: readonly Item[];
  readonly page: { readonly next: string | null; readonly limit: number };
} {
  const data = found.slice(0, limit);
  const last = data[data.length - 1];
  const next = found.length > limit && last !== undefined ? encodeCursor(cursorAfter(last)) : null;
  return { data, page: { next, limit } };
}
