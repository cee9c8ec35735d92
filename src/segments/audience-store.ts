import {
  ServiceError,
  type Sqlite,
  type Store,
  type Turns,
  toIso,
  writeInTurns,
  writeTurns,
  writeWhenFree,
} from "../base/index.ts";
import { mayBeAddressedSql } from "../customers/index.ts";
import type { Freshness } from "../predictions/index.ts";

export type AudienceKind = "repurchase" | "retargeting";

/** A published list for one purpose (and, for repurchase, one ISO week). Instants as ISO 8601. */
export interface Audience extends Freshness {
  readonly name: string;
  readonly version: number;
  readonly kind: AudienceKind;
  readonly week: string | null;
  readonly weekStart: string | null;
  readonly weekEnd: string | null;
  /** The consent a member must have given to be read. */
  readonly purpose: string;
  /** Members before consent is looked at. */
  readonly candidates: number;
}

export interface AudienceMember {
  /** 1 is the most probable. */
  readonly position: number;
  readonly customerId: number;
  /** The source's id of the customer. */
  readonly customer: string;
  readonly product: string;
  readonly productName: string | null;
  readonly probability: number;
  readonly percentile: number;
}

export interface NewAudience {
  readonly name: string;
  readonly kind: AudienceKind;
  readonly week: { readonly id: string; readonly start: number; readonly end: number } | null;
  readonly purpose: string;
  readonly members: readonly {
    readonly customerId: number;
    readonly product: string;
    readonly probability: number;
    readonly percentile: number;
  }[];
}

export interface AudienceStamp {
  readonly modelVersion: string;
  readonly asOf: number;
  readonly dataThrough: number;
  readonly computedAt: number;
}

/**
 * Shows the new versions of the given audiences all at once; other current ones of `kind` end. Members are written in turns
 * before that, and those of earlier versions go in turns afterwards; what an interrupted publication left goes with them.
 * Whoever was erased meanwhile is left out. Throws `conflict` where others of the kind were published meanwhile.
 */
export async function publishAudiences(
  store: Store,
  kind: AudienceKind,
  audiences: readonly NewAudience[],
  stamp: AudienceStamp,
  turns?: Turns,
): Promise<void> {
  const { sqlite } = store;
  await removeUnseen(store, kind, turns);
  const versions = await writeWhenFree(sqlite, () =>
    audiences.map((audience) => ({
      audience,
      version: addAudience(sqlite, kind, audience, stamp),
    })),
  );
  for (const { audience, version } of versions) {
    await addMembers(store, audience, version, turns);
  }
  await store.flush();
  const show = sqlite.prepare("UPDATE audience SET is_current = 1 WHERE name = ? AND version = ?");
  await writeWhenFree(sqlite, () => {
    sqlite.prepare("UPDATE audience SET is_current = 0 WHERE kind = ?").run(kind);
    for (const { audience, version } of versions) {
      refuseOverwritten(show.run(audience.name, version).changes === 1, audience.name);
    }
  });
  await removeUnseen(store, kind, turns);
}

/** A new version that nobody sees yet. */
function addAudience(
  sqlite: Sqlite,
  kind: AudienceKind,
  { name, week, purpose, members }: NewAudience,
  stamp: AudienceStamp,
): number {
  const latest = sqlite
    .prepare<[string], number | null>("SELECT max(version) FROM audience WHERE name = ?")
    .pluck()
    .get(name);
  const version = (latest ?? 0) + 1;
  sqlite
    .prepare("INSERT INTO audience VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)")
    .run(
      name,
      version,
      kind,
      week?.id ?? null,
      week?.start ?? null,
      week?.end ?? null,
      purpose,
      stamp.modelVersion,
      stamp.asOf,
      stamp.dataThrough,
      stamp.computedAt,
      members.length,
    );
  return version;
}

async function addMembers(
  store: Store,
  { name, members }: NewAudience,
  version: number,
  turns: Turns | undefined,
): Promise<void> {
  const exists = store.sqlite
    .prepare<[string, number], number>("SELECT 1 FROM audience WHERE name = ? AND version = ?")
    .pluck();
  const insert = store.sqlite.prepare(
    `INSERT INTO audience_member SELECT @name, @version, @position, @customerId, @product, @probability, @percentile
     WHERE EXISTS (SELECT 1 FROM customer WHERE id = @customerId)`,
  );
  const positioned = members.map((member, index) => ({ ...member, position: index + 1 }));
  const add = (member: (typeof positioned)[number]): void => {
    refuseOverwritten(exists.get(name, version) === 1, name);
    insert.run({ ...member, name, version });
  };
  await writeInTurns(store, positioned, add, turns);
}

function refuseOverwritten(isThere: boolean, name: string): void {
  if (!isThere) {
    throw new ServiceError(
      "conflict",
      `audience ${name}: others were published while this one was being stored; refresh again`,
    );
  }
}

/** Removes the versions of a kind that nobody sees, in turns. */
async function removeUnseen(
  store: Store,
  kind: AudienceKind,
  turns: Turns | undefined,
): Promise<void> {
  const { sqlite } = store;
  const next = sqlite.prepare<[string], { readonly name: string; readonly version: number }>(
    "SELECT name, version FROM audience WHERE kind = ? AND is_current = 0 LIMIT 1",
  );
  const removeMembers = sqlite.prepare(
    `DELETE FROM audience_member WHERE name = @name AND version = @version AND position IN (
       SELECT position FROM audience_member WHERE name = @name AND version = @version LIMIT 20)`,
  );
  const remove = sqlite.prepare("DELETE FROM audience WHERE name = @name AND version = @version");
  const step = (): boolean => {
    const unseen = next.get(kind);
    if (unseen === undefined) {
      return false;
    }
    if (removeMembers.run(unseen).changes === 0) {
      remove.run(unseen);
    }
    return true;
  };
  await writeTurns(store, step, turns);
}

interface AudienceRow {
  readonly name: string;
  readonly version: number;
  readonly kind: AudienceKind;
  readonly week: string | null;
  readonly week_start: number | null;
  readonly week_end: number | null;
  readonly purpose: string;
  readonly model_version: string;
  readonly as_of: number;
  readonly data_through: number;
  readonly computed_at: number;
  readonly member_count: number;
}

/** The current audiences, the nearest week first. */
export function listAudiences(store: Store, kind?: AudienceKind): Audience[] {
  return store.sqlite
    .prepare<[], AudienceRow>(
      "SELECT * FROM audience WHERE is_current = 1 ORDER BY kind, week_start, name",
    )
    .all()
    .filter((row) => kind === undefined || row.kind === kind)
    .map((row) => ({
      name: row.name,
      version: row.version,
      kind: row.kind,
      week: row.week,
      weekStart: row.week_start === null ? null : toIso(row.week_start),
      weekEnd: row.week_end === null ? null : toIso(row.week_end),
      purpose: row.purpose,
      candidates: row.member_count,
      modelVersion: row.model_version,
      asOf: toIso(row.as_of),
      dataThrough: toIso(row.data_through),
      computedAt: toIso(row.computed_at),
    }));
}

/** Names that every publication brings; before the first, these are not ready, and others are not there. */
const PUBLISHED_NAMES = /^(?:retargeting-pool|repurchase-\d{4}-W\d{2})$/;

/** A current audience by name. Throws `not-found`, naming those there are, or `not-ready` before the first publication. */
export function getAudience(store: Store, name: string): Audience {
  const audiences = listAudiences(store);
  const found = audiences.find((audience) => audience.name === name);
  if (found === undefined) {
    const willCome = audiences.length === 0 && PUBLISHED_NAMES.test(name);
    throw new ServiceError(
      willCome ? "not-ready" : "not-found",
      audiences.length === 0
        ? 'no audience is published yet: run "herkoop audiences --refresh"'
        : `there is no audience "${name}"; there are ${audiences[0]?.name ?? ""} to ${audiences[audiences.length - 1]?.name ?? ""}`,
      { field: "audience" },
    );
  }
  return found;
}

export interface MemberPage {
  /** Members after this position (exclusive); 0 for the first page. */
  readonly after: number;
  readonly limit: number;
  readonly product?: string;
  readonly minimumProbability?: number;
}

/**
 * A page of members, the most probable first. Only those are read whose consent for the audience's
 * purpose is on record as granted, and who denied no analysis, at the moment of reading: unknown is no.
 */
export function readMembers(store: Store, audience: Audience, page: MemberPage): AudienceMember[] {
  return store.sqlite
    .prepare<unknown[], AudienceMember>(
      `SELECT m.position, m.customer_id AS customerId, m.product, n.name AS productName, m.probability, m.percentile,
              (SELECT i.value FROM identifier i WHERE i.customer_id = m.customer_id ORDER BY i.type DESC, i.first_seen_at LIMIT 1) AS customer
       FROM audience_member m
       LEFT JOIN product n ON n.product = m.product
       WHERE m.name = ? AND m.version = ? AND m.position > ? AND ${mayBeAddressedSql("m.customer_id", "?")} AND (? IS NULL OR m.product = ?) AND m.probability >= ?
       ORDER BY m.position LIMIT ?`,
    )
    .all(
      audience.name,
      audience.version,
      page.after,
      audience.purpose,
      page.product ?? null,
      page.product ?? null,
      page.minimumProbability ?? 0,
      page.limit,
    );
}

/** How many members can be read now. */
export function countMembers(store: Store, audience: Audience): number {
  return (
    store.sqlite
      .prepare<[string, number, string], number>(
        `SELECT count(*) FROM audience_member m
         WHERE m.name = ? AND m.version = ? AND ${mayBeAddressedSql("m.customer_id", "?")}`,
      )
      .pluck()
      .get(audience.name, audience.version, audience.purpose) ?? 0
  );
}

/**
 * Tells whether the member at a position of an audience may be read now, and still has this identifier: who was
 * merged away or divided has another number than the member.
 */
export function openPositions(
  store: Store,
): (audience: Audience, position: number, value: string) => boolean {
  const find = store.sqlite
    .prepare<[string, number, number, string, string], number>(
      `SELECT 1 FROM audience_member m WHERE m.name = ? AND m.version = ? AND m.position = ? AND ${mayBeAddressedSql("m.customer_id", "?")}
         AND EXISTS (SELECT 1 FROM identifier i WHERE i.customer_id = m.customer_id AND i.value = ?)`,
    )
    .pluck();
  return ({ name, version, purpose }, position, value) =>
    find.get(name, version, position, purpose, value) !== undefined;
}
