import { LATENESS } from "./lateness.ts";

/** A count as it is kept: of what kind, its name, and the day it came (null for files). */
export interface CountRow {
  readonly source: string;
  readonly origin: "live" | "import";
  readonly kind: string;
  readonly name: string;
  readonly count: number;
  readonly firstDay: string;
  readonly lastDay: string;
}

export interface NamedCount {
  readonly name: string;
  readonly count: number;
}

/** What came of a source by one way: live, or in files. Lists are by count, the largest first. */
export interface QualityPart {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** UTC days of arrival, YYYY-MM-DD. */
  readonly firstDay: string | null;
  readonly lastDay: string | null;
  readonly events: readonly NamedCount[];
  readonly unknownEvents: readonly NamedCount[];
  readonly channels: readonly NamedCount[];
  /** By `field: reason`. */
  readonly rejects: readonly NamedCount[];
  readonly identifiers: readonly NamedCount[];
  readonly droppedIdentifiers: readonly NamedCount[];
  readonly missingIdentifiers: readonly NamedCount[];
  readonly impossible: readonly NamedCount[];
  readonly unknownConsent: readonly NamedCount[];
  /** The class of lateness (time from happening to arrival) that half, 95% and 99% do not pass; null where it is not counted. */
  readonly lateness: { readonly p50: string; readonly p95: string; readonly p99: string } | null;
  /** Share of [0, 1] that arrived more than a day after it happened. */
  readonly lateShare: number | null;
  /** Share of [0, 1] that names nobody, or an anonymous id alone. */
  readonly missingIdentifierShare: number | null;
}

export interface SourceQuality {
  readonly source: string;
  /** One line: what to see to first. */
  readonly verdict: string;
  readonly live: QualityPart | null;
  readonly imports: QualityPart | null;
}

/** Reports by source, in order of name, from what was counted. */
export function qualityOf(rows: readonly CountRow[], sources: readonly string[]): SourceQuality[] {
  return sources.map((source) => {
    const part = (origin: CountRow["origin"]): QualityPart | null => {
      const own = rows.filter((row) => row.source === source && row.origin === origin);
      return own.length === 0 ? null : partOf(own);
    };
    const live = part("live");
    const imports = part("import");
    return {
      source,
      verdict: verdictOf([live, imports].filter((one) => one !== null)),
      live,
      imports,
    };
  });
}

function partOf(rows: readonly CountRow[]): QualityPart {
  const named = (kind: string): NamedCount[] =>
    rows
      .filter((row) => row.kind === kind)
      .map(({ name, count }) => ({ name, count }))
      .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  const late = named("late");
  const events = named("event");
  const accepted = totalOf(
    rows.some(({ kind }) => kind === "accepted") ? named("accepted") : events,
  );
  const rejects = named("reject");
  const missingIdentifiers = named("missing_identifier");
  const days = rows.flatMap(({ firstDay, lastDay }) => [firstDay, lastDay]).sort();
  return {
    accepted,
    duplicates: totalOf(named("duplicate")),
    rejected: totalOf(rows.some(({ kind }) => kind === "rejected") ? named("rejected") : rejects),
    firstDay: days[0] ?? null,
    lastDay: days.at(-1) ?? null,
    events,
    unknownEvents: named("unknown_event"),
    channels: named("channel").map(({ name, count }) => ({ name: name || "unknown", count })),
    rejects,
    identifiers: named("identifier"),
    droppedIdentifiers: named("identifier_dropped"),
    missingIdentifiers,
    impossible: named("impossible"),
    unknownConsent: named("unknown_consent"),
    ...latenessOf(late),
    missingIdentifierShare:
      events.length === 0 ? null : share(totalOf(missingIdentifiers), totalOf(events)),
  };
}

function latenessOf(late: readonly NamedCount[]): Pick<QualityPart, "lateness" | "lateShare"> {
  const total = totalOf(late);
  if (total === 0) {
    return { lateness: null, lateShare: null };
  }
  const ordered = LATENESS.map(({ name, atMost }) => ({
    name,
    atMost,
    count: late.find((one) => one.name === name)?.count ?? 0,
  }));
  const quantile = (part: number): string => {
    let below = 0;
    for (const { name, count } of ordered) {
      below += count;
      if (below >= part * total) {
        return name;
      }
    }
    return "later";
  };
  const day = LATENESS.find(({ name }) => name === "1 day")?.atMost ?? 0;
  const over = totalOf(ordered.filter(({ atMost }) => atMost > day));
  return {
    lateness: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
    lateShare: share(over, total),
  };
}

/** What is worth seeing to, the gravest first: how much of it, of what, from which share on. */
const FINDINGS: readonly {
  readonly from: number;
  readonly count: (part: QualityPart) => number;
  readonly text: (percent: string, part: QualityPart) => string;
}[] = [
  {
    from: 0.01,
    count: (part) => part.rejected,
    text: (percent, { rejects }) =>
      `${percent} is rejected, most often for ${rejects[0]?.name ?? "?"}`,
  },
  {
    from: 0.01,
    count: (part) => totalOf(part.unknownEvents),
    text: (percent, { unknownEvents }) =>
      `${percent} has names that mean nothing here, most often "${unknownEvents[0]?.name ?? "?"}": state what they mean (herkoop sources set)`,
  },
  {
    from: 0.01,
    count: (part) => totalOf(part.droppedIdentifiers),
    text: (percent, { droppedIdentifiers }) =>
      `${percent} has an identifier that can't be read, most often ${droppedIdentifiers[0]?.name ?? "?"}`,
  },
  {
    from: 0.001,
    count: (part) => totalOf(part.impossible),
    text: (percent, { impossible }) =>
      `${percent} has a value that can hardly be true, most often ${impossible[0]?.name ?? "?"}`,
  },
  {
    from: 0.01,
    count: (part) => totalOf(part.unknownConsent),
    text: (percent, { unknownConsent }) =>
      `${percent} states consent to a category that is no purpose here, most often "${unknownConsent[0]?.name ?? "?"}"`,
  },
  {
    from: 0.2,
    count: (part) => part.duplicates,
    text: (percent) => `${percent} came before: somebody sends twice`,
  },
];

function verdictOf(parts: readonly QualityPart[]): string {
  const total = parts.reduce(
    (sum, part) => sum + part.accepted + part.rejected + part.duplicates,
    0,
  );
  if (total === 0) {
    return "nothing came";
  }
  for (const { from, count, text } of FINDINGS) {
    const [worst] = [...parts].sort((a, b) => count(b) - count(a));
    const all = parts.reduce((sum, part) => sum + count(part), 0);
    if (worst !== undefined && all / total >= from) {
      return text(`${(100 * (all / total)).toFixed(1)}%`, worst);
    }
  }
  return "good";
}

function totalOf(counts: readonly NamedCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

function share(part: number, total: number): number {
  return total === 0 ? 0 : Number((part / total).toPrecision(6));
}
