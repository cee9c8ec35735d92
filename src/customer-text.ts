import { toIso } from "./base/index.ts";
import type { CustomerChange, EffectPreview, Party, Profile } from "./customers/index.ts";
import { table } from "./text.ts";

/** Instants as ISO 8601, wherever a field is named for one. */
export function withDates(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    typeof inner === "number" && key.endsWith("At") && inner > 0 ? toIso(inner) : inner,
  ) as unknown;
}

function day(instant: number | null): string {
  return instant === null ? "" : toIso(instant).slice(0, 16).replace("T", " ");
}

/** A profile for people. */
export function profileText(profile: Profile): string {
  const sections: [string, string][] = [
    [
      "identifiers",
      table(
        ["type", "value", "source", "first seen"],
        profile.identifiers.map((one) => [one.type, one.value, one.source, day(one.firstSeenAt)]),
      ),
    ],
    [
      "traits",
      table(
        ["trait", "value", "source", "said"],
        profile.traits.map((one) => [
          one.name,
          JSON.stringify(one.value),
          one.source,
          day(one.occurredAt),
        ]),
      ),
    ],
    [
      "consents",
      table(
        ["purpose", "status", "source", "basis", "said"],
        profile.consents.map((one) => [
          one.purpose,
          one.status,
          one.source,
          one.basis,
          day(one.recordedAt),
        ]),
      ),
    ],
    [
      "channels",
      table(
        ["channel", "source", "events", "first", "last"],
        profile.channels.map((one) => [
          one.channel,
          one.source,
          String(one.events),
          day(one.firstAt),
          day(one.lastAt),
        ]),
      ),
    ],
    [
      "orders",
      table(
        ["order", "source", "when", "lines", "amount", "refunded", ""],
        profile.orders.map((one) => [
          one.orderId,
          one.source,
          day(one.orderedAt ?? one.lastAt),
          String(one.lines),
          `${one.amount.toFixed(2)} ${one.currency ?? ""}`.trim(),
          one.refundedAmount.toFixed(2),
          one.isCancelled ? "cancelled" : "",
        ]),
      ),
    ],
    [
      "timeline",
      table(
        ["when", "event", "channel", "product"],
        profile.timeline.map((one) => [
          day(one.occurredAt),
          one.event ?? one.type,
          one.channel ?? "",
          one.productName ?? one.productId ?? "",
        ]),
      ),
    ],
  ];
  const rows: Readonly<Record<string, number>> = {
    identifiers: profile.identifiers.length,
    traits: profile.traits.length,
    consents: profile.consents.length,
    channels: profile.channels.length,
    orders: profile.orders.length,
    timeline: profile.timeline.length,
  };
  return [
    `customer ${profile.id}, first seen ${day(profile.firstSeenAt)}, last ${day(profile.lastSeenAt)}`,
    ...sections.flatMap(([name, text]) => ((rows[name] ?? 0) === 0 ? [] : ["", name, text])),
    ...(profile.consents.length === 0 ? ["", "consents: none on record, and unknown is no"] : []),
  ].join("\n");
}

/** Merges and unmerges for people. */
export function changesText(changes: readonly CustomerChange[]): string {
  if (changes.length === 0) {
    return "no merges or unmerges";
  }
  return table(
    ["when", "what", "why"],
    changes.map((change) => [
      day(change.recordedAt),
      change.kind === "merge"
        ? `${change.otherCustomerId} went into ${change.customerId}`
        : `${change.otherCustomerId} came out of ${change.customerId}`,
      change.link === null
        ? change.reason
        : `${change.link.map(({ type, value }) => `${type} ${value}`).join(" = ")} (${change.reason})`,
    ]),
  );
}

/** What a verdict changes, for people. */
export function effectText(effect: EffectPreview, isDryRun: boolean): string {
  const parties = (list: readonly Party[]): string =>
    table(
      ["customer", "events", "orders", "identifiers"],
      list.map((one) => [
        String(one.customerId),
        String(one.events),
        String(one.orders),
        one.identifiers.map(({ type, value }) => `${type} ${value}`).join(", "),
      ]),
    );
  return [
    isDryRun ? "would change" : "changed",
    parties(effect.before),
    "to",
    parties(effect.after),
    ...(effect.audiences.length === 0
      ? []
      : [`audiences to be made again: ${effect.audiences.join(", ")}`]),
  ].join("\n");
}
