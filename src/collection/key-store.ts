import { createHash, randomBytes } from "node:crypto";
import { isSupportedCountry } from "libphonenumber-js/max";
import { type Clock, ServiceError, type Store, writeTransaction } from "../base/index.ts";
import { CHANNELS, type Channel } from "./event.ts";
import { addSource } from "./history-store.ts";
import { segmentMapping } from "./mapping.ts";
import { compileSourceRules, parseSourceRules, type SourceRules } from "./source-rules.ts";

/** What a key says of the events that come with it. */
export interface KeyRules {
  /** It stands where anybody can read it: its events claim, and join nobody. */
  readonly isPublic?: boolean;
  readonly channel?: Channel;
  /** ISO 3166-1 alpha-2: the country of phone numbers without a country code. */
  readonly region?: string;
}

/** A write key as it is kept: never the key itself. Instants in epoch milliseconds. */
export interface WriteKey {
  readonly id: string;
  readonly source: string;
  readonly createdAt: number;
  readonly revokedAt: number | null;
  readonly isPublic: boolean;
  readonly channel: Channel | null;
  readonly region: string | null;
}

/** Who sends: the source, whether anybody could, and how its words are read. */
export interface Sender {
  readonly source: string;
  readonly isPublic: boolean;
  readonly rules: SourceRules;
}

/**
 * Makes a key that may send events of a source, and the source where it is new. The key is returned
 * once; only its hash is stored. `secret` is chance, given. What the key states of channel and region
 * comes before what the source's rules state. A source has public keys or secret ones: with both, a
 * stranger could send a message's id first, and the message would count as a repeat. Throws
 * `invalid-input`, or `conflict` where the source has keys of the other kind.
 */
export function createWriteKey(
  store: Store,
  clock: Clock,
  source: string,
  rules: KeyRules = {},
  secret: Buffer = randomBytes(24),
): WriteKey & { readonly key: string } {
  const mapping = segmentMapping(source);
  const isPublic = rules.isPublic ?? false;
  const channel = checkedChannel(rules.channel);
  const region = checkedRegion(rules.region);
  const key = `${isPublic ? "hkp" : "hk"}_${secret.toString("base64url")}`;
  const sha256 = hashOf(key);
  const createdAt = clock.now();
  const id = sha256.slice(0, 12);
  writeTransaction(store.sqlite, () => {
    refuseOtherKind(store, source, isPublic);
    addSource(store, source, JSON.stringify(mapping), createdAt);
    store.sqlite
      .prepare(
        `INSERT INTO write_key (id, source, sha256, created_at, is_public, channel, region)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(id, source, sha256, createdAt, isPublic ? 1 : 0, channel, region);
  });
  return { id, source, createdAt, revokedAt: null, isPublic, channel, region, key };
}

function refuseOtherKind(store: Store, source: string, isPublic: boolean): void {
  const others = listWriteKeys(store).filter(
    (key) => key.source === source && key.revokedAt === null && key.isPublic !== isPublic,
  );
  if (others.length > 0) {
    const kind = isPublic ? "secret" : "public";
    throw new ServiceError(
      "conflict",
      `source: ${source} has ${kind} keys; give web pages a source of their own, or revoke ${others.map(({ id }) => id).join(", ")}`,
      { field: "source" },
    );
  }
}

function checkedChannel(channel: string | undefined): Channel | null {
  const known = CHANNELS.find((one) => one === channel);
  if (channel !== undefined && known === undefined) {
    throw new ServiceError(
      "invalid-input",
      `channel: expected one of ${CHANNELS.join(", ")}, got "${channel}"`,
      { field: "channel" },
    );
  }
  return known ?? null;
}

function checkedRegion(region: string | undefined): string | null {
  const code = region?.toUpperCase();
  if (code !== undefined && !isSupportedCountry(code)) {
    throw new ServiceError(
      "invalid-input",
      `region: expected a country of two letters such as NL, got "${region ?? ""}"`,
      { field: "region" },
    );
  }
  return code ?? null;
}

/** Every key, the oldest first. */
export function listWriteKeys(store: Store): WriteKey[] {
  return store.sqlite
    .prepare<[], Omit<WriteKey, "isPublic"> & { readonly isPublic: number }>(
      `SELECT id, source, created_at AS createdAt, revoked_at AS revokedAt, is_public AS isPublic, channel, region
       FROM write_key ORDER BY created_at, id`,
    )
    .all()
    .map((key) => ({ ...key, isPublic: key.isPublic === 1 }));
}

/** Ends a key at once; a revoked one stays so. Throws `not-found` where there is none of this id. */
export function revokeWriteKey(store: Store, clock: Clock, id: string): WriteKey {
  store.sqlite
    .prepare("UPDATE write_key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
    .run(clock.now(), id);
  const key = listWriteKeys(store).find((one) => one.id === id);
  if (key === undefined) {
    throw new ServiceError("not-found", `id: there is no write key ${id}; herkoop keys list`, {
      field: "id",
    });
  }
  return key;
}

/** Finds who sends by the key that came. */
export interface Senders {
  /** Undefined where the key is unknown or revoked. */
  find(key: string): Sender | undefined;
}

interface SenderRow {
  readonly source: string;
  readonly isPublic: number;
  readonly channel: Channel | null;
  readonly region: string | null;
  readonly rules: string | null;
}

/**
 * The senders of a store. Looked up at every request, by the hash of the key (whose time tells nothing of
 * the key), so that what another process changes holds at once; rules are compiled when they change.
 */
export function openSenders(store: Store): Senders {
  const read = store.sqlite.prepare<[string], SenderRow>(
    `SELECT k.source, k.is_public AS isPublic, k.channel, k.region, r.rules
     FROM write_key k LEFT JOIN source_rules r ON r.source = k.source
     WHERE k.sha256 = ? AND k.revoked_at IS NULL`,
  );
  const compiled = new Map<string, { readonly text: string | null; readonly sender: Sender }>();
  return {
    find: (key) => {
      const sha256 = hashOf(key);
      const row = read.get(sha256);
      if (row === undefined) {
        compiled.delete(sha256);
        return undefined;
      }
      const earlier = compiled.get(sha256);
      if (earlier?.text === row.rules) {
        return earlier.sender;
      }
      const sender = senderOf(row);
      compiled.set(sha256, { text: row.rules, sender });
      return sender;
    },
  };
}

function senderOf({ source, isPublic, channel, region, rules }: SenderRow): Sender {
  const ofSource = compileSourceRules(rules === null ? {} : parseSourceRules(JSON.parse(rules)));
  return {
    source,
    isPublic: isPublic === 1,
    rules: {
      ...ofSource,
      channel: channel ?? ofSource.channel,
      region: region ?? ofSource.region,
    },
  };
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
