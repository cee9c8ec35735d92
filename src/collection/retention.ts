import { z } from "zod";
import { literal, ServiceError } from "../base/index.ts";
import { BROWSING_EVENTS, EventName } from "./event-names.ts";

const duration = z
  .string()
  .regex(
    /^(always|[1-9]\d{0,4} (days|months))$/,
    'expected "always", or how long, such as "90 days" or "26 months"',
  );

const eventClass = z.strictObject({ events: z.array(z.string().min(1)).min(1), keep: duration });

/** Browsing as in the e-commerce spec, and e-mail as in Segment's. */
const DEFAULT_CLASSES = {
  browsing: {
    events: [
      ...BROWSING_EVENTS,
      EventName.screenViewed,
      "Promotion Viewed",
      "Product Removed from Wishlist",
      "Wishlist Product Added to Cart",
    ],
    keep: "26 months",
  },
  email: {
    events: [
      "Email Sent",
      "Email Delivered",
      "Email Opened",
      "Email Link Clicked",
      "Email Bounced",
      "Email Marked as Spam",
    ],
    keep: "24 months",
  },
};

const policySchema = z
  .strictObject({
    classes: z.record(z.string().regex(/^[a-z][a-z0-9_-]*$/), eventClass).default(DEFAULT_CLASSES),
    anonymous: duration.default("90 days"),
    rejected: duration.default("90 days"),
    quarantined: duration.default("30 days"),
  })
  .superRefine(({ classes }, check) => {
    const seen = new Map<string, string>();
    for (const [name, { events }] of Object.entries(classes)) {
      for (const event of events) {
        const other = seen.get(event);
        if (other !== undefined) {
          check.addIssue({
            code: "custom",
            path: ["classes", name, "events"],
            message: `"${event}" is in the class ${other}, too; expected it in one`,
          });
        }
        seen.set(event, name);
      }
    }
  });

/**
 * How long events are kept, counted from when they happened: by class of event names; `anonymous` for
 * events of visitors who never became known, whatever their class, but for orders; `rejected` for what
 * was refused, counted from when it came; `quarantined` for files that were set aside, counted from then. What is in no class is kept.
 */
export type RetentionPolicy = z.infer<typeof policySchema>;

/** A policy from parsed JSON; `{}` is the default one. Throws `invalid-input` naming the field. */
export function parseRetention(value: unknown): RetentionPolicy {
  const parsed = policySchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.join(".") ?? "";
    const field = path === "" ? "retention" : path;
    throw new ServiceError(
      "invalid-input",
      `retention: ${field}: ${issue?.message ?? "not a policy"}`,
      { field },
    );
  }
  return parsed.data;
}

/** What happened before this instant (epoch ms, exclusive) is kept no longer; null where all is kept. A month is one of the calendar, in UTC. */
export function keptFrom(keep: string, now: number): number | null {
  if (keep === "always") {
    return null;
  }
  const [count = "0", unit] = keep.split(" ");
  if (unit === "days") {
    return now - Number(count) * 86_400_000;
  }
  const then = new Date(now);
  const day = then.getUTCDate();
  then.setUTCDate(1);
  then.setUTCMonth(then.getUTCMonth() - Number(count));
  const lastDay = new Date(Date.UTC(then.getUTCFullYear(), then.getUTCMonth() + 1, 0));
  then.setUTCDate(Math.min(day, lastDay.getUTCDate()));
  return then.getTime();
}

/** A rule of a policy that takes rows away: those of which `where` is true. */
export interface RetentionRule {
  readonly name: string;
  readonly keep: string;
  readonly keptFrom: number;
  readonly where: string;
}

const ORDERS = [EventName.orderCompleted, EventName.orderRefunded, EventName.orderCancelled];

/**
 * The rules of a policy at an instant, as SQL over the history's columns. `known` is the SQL of a
 * relation of one column: the anonymous ids whose person is known.
 */
export function retentionRules(
  policy: RetentionPolicy,
  now: number,
  known: string,
): readonly RetentionRule[] {
  const rule = (name: string, keep: string, where: string): readonly RetentionRule[] => {
    const from = keptFrom(keep, now);
    return from === null
      ? []
      : [{ name, keep, keptFrom: from, where: `(${where} AND occurred_at_ms < ${from})` }];
  };
  const among = (events: readonly string[]): string =>
    `coalesce(event, '') IN (${events.map((event) => literal(event)).join(", ")})`;
  return [
    ...Object.entries(policy.classes).flatMap(([name, { events, keep }]) =>
      rule(name, keep, among(events)),
    ),
    ...rule(
      "anonymous",
      policy.anonymous,
      `anonymous_id IS NOT NULL AND user_id IS NULL AND coalesce(identifiers, '[]') = '[]'
       AND NOT ${among(ORDERS)} AND anonymous_id NOT IN (SELECT * FROM ${known})`,
    ),
  ];
}
