import { once } from "node:events";
import { createWriteStream, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "csv-stringify";
import {
  type Clock,
  makeOutputFolder,
  ServiceError,
  type Store,
  shareOutput,
} from "../base/index.ts";
import { currentRun, eachPrediction, type PredictionRun } from "../predictions/index.ts";
import { PURPOSE_OF, RETARGETING_POOL, repurchaseAudienceName } from "./audience-purposes.ts";
import {
  type Audience,
  type AudienceStamp,
  listAudiences,
  type NewAudience,
  publishAudiences,
  readMembers,
} from "./audience-store.ts";
import { type CoveredWeek, coveredWeeks, weekProbability } from "./repurchase-weeks.ts";

export interface AudienceOptions {
  /** A pair is due in a week from this probability on. */
  readonly minimumProbability: number;
}

export const DEFAULT_MINIMUM_PROBABILITY = 0.05;

/**
 * Makes this week's audiences from the published predictions: one per coming ISO week (who is due for
 * which product), and the retargeting pool ranked by conversion intent. Throws `not-ready` where
 * nothing was scored.
 */
export async function refreshAudiences(
  store: Store,
  clock: Clock,
  options: AudienceOptions,
): Promise<Audience[]> {
  const repurchase = currentRun(store, "repurchase-week");
  const intent = currentRun(store, "conversion-intent");
  if (repurchase === undefined && intent === undefined) {
    throw new ServiceError("not-ready", 'nothing is scored yet: run "herkoop score"');
  }
  if (repurchase !== undefined) {
    await publishAudiences(
      store,
      "repurchase",
      repurchaseAudiences(store, repurchase, options),
      stampOf(repurchase, clock),
    );
  }
  if (intent !== undefined) {
    await publishAudiences(
      store,
      "retargeting",
      [retargetingPool(store, intent)],
      stampOf(intent, clock),
    );
  }
  return listAudiences(store);
}

function stampOf(run: PredictionRun, clock: Clock): AudienceStamp {
  return {
    modelVersion: run.modelVersion,
    asOf: run.asOfMs,
    dataThrough: run.dataThroughMs,
    computedAt: clock.now(),
  };
}

type Member = NewAudience["members"][number];

function repurchaseAudiences(
  store: Store,
  run: PredictionRun,
  options: AudienceOptions,
): NewAudience[] {
  const members = new Map<CoveredWeek, Member[]>();
  for (const prediction of eachPrediction(store, run.id)) {
    if (members.size === 0) {
      for (const week of coveredWeeks(run.asOfMs, prediction.probabilities.length - 1)) {
        members.set(week, []);
      }
    }
    for (const [week, due] of members) {
      const probability = weekProbability(prediction.probabilities, week);
      if (probability >= options.minimumProbability) {
        const { customerId, product, percentile } = prediction;
        due.push({
          customerId,
          product,
          probability: Number(probability.toPrecision(6)),
          percentile,
        });
      }
    }
  }
  return [...members].map(([week, due]) => ({
    name: repurchaseAudienceName(week.id),
    kind: "repurchase",
    week,
    purpose: PURPOSE_OF.repurchase,
    members: mostProbableFirst(due),
  }));
}

function retargetingPool(store: Store, run: PredictionRun): NewAudience {
  const members: Member[] = [];
  for (const { customerId, product, probabilities, percentile } of eachPrediction(store, run.id)) {
    members.push({ customerId, product, probability: probabilities[0] ?? 0, percentile });
  }
  return {
    name: RETARGETING_POOL,
    kind: "retargeting",
    week: null,
    purpose: PURPOSE_OF.retargeting,
    members: mostProbableFirst(members),
  };
}

function mostProbableFirst(members: Member[]): Member[] {
  return members.sort(
    (a, b) =>
      b.probability - a.probability ||
      a.customerId - b.customerId ||
      a.product.localeCompare(b.product),
  );
}

/** The columns of an audience as CSV. */
export const CSV_COLUMNS = [
  "audience",
  "position",
  "customer",
  "product",
  "product_name",
  "probability",
  "percentile",
  "model_version",
  "as_of",
  "data_through",
  "computed_at",
] as const;

const PAGE = 5000;

/** The rows of an audience as CSV records, those consent allows, at most `limit`. */
export function* csvRecords(
  store: Store,
  audience: Audience,
  filter: { readonly product?: string; readonly minimumProbability?: number } = {},
  limit = Number.MAX_SAFE_INTEGER,
): Generator<(string | number | null)[]> {
  let after = 0;
  for (let left = limit; left > 0; ) {
    const members = readMembers(store, audience, { ...filter, after, limit: Math.min(PAGE, left) });
    for (const member of members) {
      yield [
        audience.name,
        member.position,
        member.customer,
        member.product,
        member.productName,
        member.probability,
        member.percentile,
        audience.modelVersion,
        audience.asOf,
        audience.dataThrough,
        audience.computedAt,
      ];
    }
    after = members[members.length - 1]?.position ?? after;
    left -= members.length;
    if (members.length < PAGE) {
      return;
    }
  }
}

/**
 * Writes every current audience as CSV into a folder, each file whole or not at all; returns the files. Those inside
 * the store are kept free of who withdraws later (audience-files.ts); others are the user's own copies.
 */
export async function exportAudiences(store: Store, folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const audience of listAudiences(store)) {
    const file = join(folder, `${audience.name}.csv`);
    await writeCsv(store, audience, file);
    files.push(file);
  }
  return files;
}

/** Writes one audience as CSV, at most `limit` members; the file appears whole or not at all. */
export async function writeCsv(
  store: Store,
  audience: Audience,
  file: string,
  limit?: number,
): Promise<void> {
  makeOutputFolder(store.folder, dirname(file));
  const output = createWriteStream(`${file}.partial`);
  const csv = stringify({ header: true, columns: [...CSV_COLUMNS], escape_formulas: true });
  csv.pipe(output);
  for (const record of csvRecords(store, audience, {}, limit)) {
    if (!csv.write(record)) {
      await once(csv, "drain");
    }
  }
  csv.end();
  await once(output, "finish");
  shareOutput(store.folder, `${file}.partial`);
  renameSync(`${file}.partial`, file);
}
