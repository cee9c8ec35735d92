import { DAY_MS, dayStart, ServiceError, toIso, WEEK_MS } from "../base/index.ts";
import type { Dataset } from "./dataset.ts";
import { horizonMs, type ModelTask } from "./task.ts";

/** A shop has too little data for a network to be taught and judged; `missing` says of what, "had X, needs Y". */
export class TooLittleData extends ServiceError {
  readonly missing: readonly string[];

  constructor(message: string, missing: readonly string[]) {
    super("not-ready", `${message} (${missing.join("; ")})`, { field: "history" });
    this.missing = missing;
  }
}

/** A handful of customers, pairs or purchases proves nothing, however narrow an interval looks. */
const ENOUGH = 30;

/** Below this many purchases among the training rows there is nothing to learn a rhythm from. */
const MINIMUM_TRAINING_EVENTS = 10;

/** Rows in which a purchase followed. */
export function purchasesIn({ events }: Pick<Dataset, "events">): number {
  return events.filter((event) => event >= 0).length;
}

/** What rows to learn from, or to be judged on, are too few of for a network; empty where there are enough. */
export function missingFor(task: ModelTask, purpose: string, rows: Dataset): string[] {
  const pairs = new Set(
    Array.from({ length: rows.products.length }, (_, row) =>
      JSON.stringify([rows.customers[row], rows.products[row]]),
    ),
  );
  const [whom, what] =
    task.spine.entity === "pair"
      ? [
          `customers with a product bought on ${task.spine.minimumPurchases} days or more`,
          "repeat purchases",
        ]
      : [`customers active within ${task.spine.activeWithinDays} days`, "orders"];
  const counts: readonly (readonly [string, number])[] = [
    [`${whom}, ${purpose}`, new Set(rows.customers).size],
    ...(task.spine.entity === "pair"
      ? [[`pairs of customer and product, ${purpose}`, pairs.size] as const]
      : []),
    [`${what} that followed, ${purpose}`, purchasesIn(rows)],
  ];
  return counts
    .filter(([, had]) => had < ENOUGH)
    .map(([name, had]) => `${name}: had ${had}, needs ${ENOUGH}`);
}

/** Throws `TooLittleData` where rows are too few to learn anything from. */
export function refuseTooFew(task: ModelTask, which: string, rows: Dataset): void {
  const events = purchasesIn(rows);
  if (events < MINIMUM_TRAINING_EVENTS) {
    throw new TooLittleData(
      `${task.model}: the ${which} rows are too few: ${rows.rows} rows with ${events} purchases. ` +
        'Where old orders were imported with "knownAt": "now", nothing was known at past cutoffs: "occurredAt" suits a first load',
      missingFor(task, which, rows),
    );
  }
}

/** Of a history that began at `firstOrderAt` and would have to begin at `neededFrom` (epoch ms) or earlier. */
export function tooShort(
  task: ModelTask,
  {
    firstOrderAt,
    neededFrom,
    end,
  }: Readonly<Record<"firstOrderAt" | "neededFrom" | "end", number>>,
): TooLittleData {
  const needed = Math.ceil((end - neededFrom) / WEEK_MS);
  const had = Math.max(0, Math.floor((10 * (end - firstOrderAt)) / WEEK_MS) / 10);
  return new TooLittleData(
    `${task.model}: orders from ${toIso(dayStart(firstOrderAt))} on are too short a history to train and test a horizon of ${Math.round(horizonMs(task) / DAY_MS)} days; ` +
      `orders from ${toIso(dayStart(neededFrom))} on would do, or a shorter horizon`,
    [`weeks of orders: had ${had}, needs ${needed}`],
  );
}
