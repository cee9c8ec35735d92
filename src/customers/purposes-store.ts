import { ServiceError, type Store, statementOf } from "../base/index.ts";

/**
 * Who denies one of these objects to being analysed as an individual: no probability is made of them, kept or
 * told. Unknown is no denial here; to address somebody it is (docs/decisions/0022-purposes-and-consent.md).
 */
const PROFILING_PURPOSES = ["personalisation", "analytics"] as const;

const LIST = PROFILING_PURPOSES.map((purpose) => `'${purpose}'`).join(", ");

/** SQL that is true of customers (a column with their number) who denied being analysed as individuals. */
function isProfilingDeniedSql(column: string): string {
  return `EXISTS (SELECT 1 FROM consent d WHERE d.customer_id = ${column} AND d.purpose IN (${LIST}) AND d.status = 'denied')`;
}

/** SQL that is true of customers who may be addressed for a purpose (an SQL expression): who agreed to it, and denied no analysis. */
export function mayBeAddressedSql(column: string, purpose: string): string {
  return `(EXISTS (SELECT 1 FROM consent g WHERE g.customer_id = ${column} AND g.purpose = ${purpose} AND g.status = 'granted')
    AND NOT ${isProfilingDeniedSql(column)})`;
}

/** Tells whether a customer denied being analysed as an individual, through a statement that is prepared once. */
export function openProfilingDenials({ sqlite }: Store): (customerId: number) => boolean {
  const denied = statementOf<[number], number>(
    sqlite,
    `SELECT ${isProfilingDeniedSql("?")} AS denied`,
  ).pluck();
  return (customerId) => denied.get(customerId) === 1;
}

/** The customers who denied being analysed as individuals. */
export function profilingDeniers(store: Store): ReadonlySet<number> {
  return new Set(
    store.sqlite
      .prepare<[], number>(
        `SELECT DISTINCT customer_id FROM consent WHERE purpose IN (${LIST}) AND status = 'denied'`,
      )
      .pluck()
      .all(),
  );
}

/** Throws `forbidden`, naming the purposes, where a customer denied being analysed as an individual. */
export function refuseProfilingDenied(store: Store, customerId: number): void {
  const denied = statementOf<[number], string>(
    store.sqlite,
    `SELECT purpose FROM consent WHERE customer_id = ? AND purpose IN (${LIST}) AND status = 'denied' ORDER BY 1`,
  )
    .pluck()
    .all(customerId);
  if (denied.length > 0) {
    throw new ServiceError(
      "forbidden",
      `this person denied ${denied.join(" and ")}: no probability is told of them`,
      { field: "consent" },
    );
  }
}

/**
 * Tells whether an identifier of whatever type is somebody's, and everybody's who has it may be addressed for a
 * purpose: in doubt nobody is.
 */
export function openAddressees({ sqlite }: Store): (value: string, purpose: string) => boolean {
  const types = sqlite.prepare<[], string>("SELECT DISTINCT type FROM identifier").pluck().all();
  const find = sqlite
    .prepare<[string, string, string], number>(
      `SELECT ${mayBeAddressedSql("i.customer_id", "?")} FROM identifier i WHERE i.type = ? AND i.value = ?`,
    )
    .pluck();
  return (value, purpose) => {
    const answers = types.flatMap((type) => find.get(purpose, type, value) ?? []);
    return answers.length > 0 && answers.every((answer) => answer === 1);
  };
}

/** How often somebody may have left an audience, and up to which of these the audience files were cleaned. */
export function consentVersion({ sqlite }: Store): {
  readonly version: number;
  readonly filesVersion: number;
} {
  const read = statementOf<[], { version: number; filesVersion: number }>(
    sqlite,
    "SELECT version, files_version AS filesVersion FROM consent_change",
  );
  return read.get() ?? { version: 0, filesVersion: -1 };
}

/** Remembers that audience files say nothing that was withdrawn by a version. */
export function noteFilesCleaned({ sqlite }: Store, version: number): void {
  sqlite.prepare("UPDATE consent_change SET files_version = max(files_version, ?)").run(version);
}
