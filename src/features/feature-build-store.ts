import { type Clock, type Store, toIso, writeTransaction } from "../base/index.ts";
import { type ColumnStatistics, QUANTILES } from "./build-statistics.ts";
import type { FeatureService } from "./feature-service.ts";

/** What a build was made for. */
export type BuildPurpose = "export" | "rows" | "training" | "scoring";

/** What a build says of itself. */
export interface BuildDescription {
  readonly service: FeatureService;
  readonly purpose: BuildPurpose;
  /** Whom the rows are of, such as `everybody`. */
  readonly spine: string;
  /** Epoch ms; null without rows. */
  readonly firstCutoff: number | null;
  readonly lastCutoff: number | null;
  readonly cutoffCount: number;
  /** The last event the history held, epoch ms. */
  readonly dataThrough: number | null;
  /** What the facts were made of, as a digest. */
  readonly facts: string;
}

/** How a feature differs from the build before. */
export interface Drift {
  readonly feature: string;
  /** The share of unknown rows, less that of before. */
  readonly nullRateChange: number;
  /** How far the median moved, in interquartile ranges of before; null where there is none to divide by. */
  readonly medianShift: number | null;
}

/** A build that was made. Instants are ISO 8601. */
export interface FeatureBuild {
  readonly id: number;
  readonly service: string;
  readonly version: number;
  readonly purpose: BuildPurpose;
  readonly spine: string;
  readonly builtAt: string;
  readonly rows: number;
  readonly cutoffs: number;
  readonly firstCutoff: string | null;
  readonly lastCutoff: string | null;
  readonly dataThrough: string | null;
  readonly facts: string;
  readonly features: Readonly<Record<string, FeatureSummary>>;
  /** The build it is compared with: the one before of the same service, version, purpose and rows. */
  readonly comparedWith: number | null;
  /** Features that differ from it, the most first. */
  readonly drift: readonly Drift[];
}

/** Of one feature: the share of unknown rows, and its quantiles at 5, 25, 50, 75 and 95 %. */
export interface FeatureSummary {
  readonly nullRate: number;
  readonly quantiles: readonly number[] | null;
}

const KEPT = 20;

/** Keeps what a build came to, and of each service the latest 20 only. */
export function recordBuild(
  store: Store,
  clock: Clock,
  build: BuildDescription,
  rows: number,
  statistics: ReadonlyMap<string, ColumnStatistics>,
): void {
  const { service } = build;
  const summaries = service.features.map((name) => [name, summaryOf(statistics.get(name))]);
  writeTransaction(store.sqlite, () => {
    store.sqlite
      .prepare(
        `INSERT INTO feature_build (service, version, purpose, spine, built_at, row_count, cutoff_count, first_cutoff, last_cutoff, data_through, facts, statistics)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        service.name,
        service.version,
        build.purpose,
        build.spine,
        clock.now(),
        rows,
        build.cutoffCount,
        build.firstCutoff,
        build.lastCutoff,
        build.dataThrough,
        build.facts,
        JSON.stringify(Object.fromEntries(summaries)),
      );
    store.sqlite
      .prepare(
        `DELETE FROM feature_build WHERE service = ? AND id NOT IN (
             SELECT id FROM feature_build WHERE service = ? ORDER BY id DESC LIMIT ${KEPT})`,
      )
      .run(service.name, service.name);
  });
}

function summaryOf(column: ColumnStatistics | undefined): FeatureSummary {
  const short = (value: number): number => Number(value.toPrecision(6));
  return {
    nullRate: short(column?.nullRate ?? 0),
    quantiles: column?.quantiles?.map(short) ?? null,
  };
}

interface Kept extends Pick<FeatureBuild, "id" | "service" | "version" | "purpose" | "spine"> {
  readonly builtAt: number;
  readonly rows: number;
  readonly cutoffs: number;
  readonly firstCutoff: number | null;
  readonly lastCutoff: number | null;
  readonly dataThrough: number | null;
  readonly facts: string;
  readonly statistics: string;
}

/** The builds that are kept, the latest first, each with its drift. */
export function listBuilds(store: Store): FeatureBuild[] {
  const kept = store.sqlite
    .prepare<[], Kept>(
      `SELECT id, service, version, purpose, spine, built_at AS builtAt, row_count AS rows, cutoff_count AS cutoffs,
              first_cutoff AS firstCutoff, last_cutoff AS lastCutoff, data_through AS dataThrough, facts, statistics
       FROM feature_build ORDER BY id DESC`,
    )
    .all();
  const iso = (instant: number | null): string | null => (instant === null ? null : toIso(instant));
  return kept.map(({ statistics, ...one }, index) => {
    const features = JSON.parse(statistics) as FeatureBuild["features"];
    const before = kept.slice(index + 1).find((other) => isAlike(one, other));
    return {
      ...one,
      builtAt: toIso(one.builtAt),
      firstCutoff: iso(one.firstCutoff),
      lastCutoff: iso(one.lastCutoff),
      dataThrough: iso(one.dataThrough),
      features,
      comparedWith: before?.id ?? null,
      drift:
        before === undefined
          ? []
          : driftOf(features, JSON.parse(before.statistics) as FeatureBuild["features"]),
    };
  });
}

function isAlike(a: Omit<Kept, "statistics">, b: Omit<Kept, "statistics">): boolean {
  return (
    a.service === b.service &&
    a.version === b.version &&
    a.purpose === b.purpose &&
    a.spine === b.spine
  );
}

const [LOWER, MEDIAN, UPPER] = [0.25, 0.5, 0.75].map((share) =>
  (QUANTILES as readonly number[]).indexOf(share),
) as [number, number, number];

/** Features that moved between two builds, the most first. */
export function driftOf(now: FeatureBuild["features"], before: FeatureBuild["features"]): Drift[] {
  const weight = ({ nullRateChange, medianShift }: Drift): number =>
    Math.max(Math.abs(nullRateChange), Math.abs(medianShift ?? 0));
  return Object.entries(now)
    .flatMap(([feature, { nullRate, quantiles }]) => {
      const former = before[feature];
      return former === undefined
        ? []
        : [
            {
              feature,
              nullRateChange: Number((nullRate - former.nullRate).toPrecision(6)),
              medianShift: shiftOf(quantiles, former.quantiles),
            },
          ];
    })
    .filter((one) => weight(one) > 0)
    .sort((a, b) => weight(b) - weight(a) || (a.feature < b.feature ? -1 : 1));
}

function shiftOf(now: readonly number[] | null, before: readonly number[] | null): number | null {
  const range = (before?.[UPPER] ?? Number.NaN) - (before?.[LOWER] ?? Number.NaN);
  const shift = ((now?.[MEDIAN] ?? Number.NaN) - (before?.[MEDIAN] ?? Number.NaN)) / range;
  return Number.isFinite(shift) ? Number(shift.toPrecision(6)) : null;
}
