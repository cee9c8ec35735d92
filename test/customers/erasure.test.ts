import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  KEY_FILE,
  openStore,
  openStoreKey,
  type ServiceError,
  type Store,
} from "../../src/base/index.ts";
import {
  compactHistory,
  countTombstones,
  liftTombstone,
  makeBackup,
  sealInbox,
} from "../../src/collection/index.ts";
import {
  customerChanges,
  type ErasurePreview,
  erasePerson,
  findCustomer,
  previewErasure,
  readReceipt,
  resolveCustomers,
  restoreBackup,
  type SignedReceipt,
  verifyReceipt,
} from "../../src/customers/index.ts";
import { textColumns } from "../../src/customers/rights/remains-store.ts";
import { historyRows } from "../support/live.ts";
import {
  accessed,
  eva,
  importTill,
  JAN,
  jan,
  piet,
  plant,
  plantedClock,
  send,
  TILL_CSV,
  TRACES,
  tracesIn,
} from "../support/planted.ts";
import { withStore } from "../support/temporary.ts";

const OPTIONS = { modelsFolder: "/nowhere" };
const EVAS = "SELECT count(*) AS n, sum(price) AS paid FROM history WHERE user_id = 'eva-2210'";

type Shown = Awaited<ReturnType<typeof accessed>>;

interface Parts {
  readonly tables: Readonly<Record<string, readonly unknown[]>>;
  readonly inbox: readonly unknown[];
  readonly rejectedMessages: readonly unknown[];
  readonly history: readonly unknown[];
  readonly files: readonly { readonly folder: string; readonly rows: readonly unknown[] }[];
}

/** `store: rows` of what lost rows. */
function removedFrom(stores: ErasurePreview["stores"]): string[] {
  return stores.flatMap((one) => (one.removed > 0 ? [`${one.store}: ${one.removed}`] : []));
}

describe("erasing a person who was everywhere", () => {
  let folder: string;
  let store: Store;
  let tracesBefore: readonly string[];
  let evasBefore: unknown;
  let number: number;
  let shownOfJan: Shown;
  let shownOfPiet: Shown;
  let preview: ErasurePreview;
  let signed: SignedReceipt;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "herkoop-test-"));
    store = await openStore(join(folder, "store"));
    await plant(store, folder);
    await makeBackup(store, plantedClock, join(folder, "backup"), {
      modelsFolder: OPTIONS.modelsFolder,
      withKey: true,
    });
    tracesBefore = await tracesIn(store);
    evasBefore = await historyRows(store, EVAS);
    number = findCustomer(store, jan).id;
    shownOfPiet = await accessed(store, piet);
    preview = await previewErasure(store, jan);
    shownOfJan = await accessed(store, jan);
    signed = await erasePerson(store, plantedClock, jan, OPTIONS);
  });

  after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });

  it("leaves no byte of them in any file, nor a row of any table", async () => {
    const places = new Set(tracesBefore.map((found) => found.split(/[/:]/)[0]));
    expect([...places]).to.include.members(
      "audiences,backtests,customers,herkoop.sqlite-wal,history,rejects".split(","),
    );
    expect(await tracesIn(store)).to.deep.equal([]);
    expect(signed.receipt.verification).to.deep.include({
      filesWithRemains: [],
      columnsWithRemains: [],
      historyRowsLeft: 0,
      identifiersSearched: JAN.length,
    });
    expect(() => findCustomer(store, jan)).to.throw("no customer has this user_id");
    expect(customerChanges(store, number)).to.deep.equal([]);
    expect(store.sqlite.pragma("foreign_key_check")).to.deep.equal([]);
    expect(readdirSync(store.path("customers"))).to.have.length(1);
  });

  it("leaves whom nothing concerned as they were", async () => {
    expect(await accessed(store, piet)).to.deep.equal(shownOfPiet);
    expect((shownOfPiet as unknown as Parts).history).to.have.length(2);
    const { rows, listed } = store.sqlite
      .prepare<[], { rows: number; listed: number }>(
        "SELECT (SELECT sum(row_count) FROM history_file) AS rows, (SELECT sum(member_count) FROM audience) AS listed",
      )
      .get() ?? { rows: 0, listed: 0 };
    expect(await historyRows(store, "SELECT count(*) AS n FROM history")).to.deep.equal([
      { n: rows },
    ]);
    expect(store.sqlite.prepare("SELECT count(*) FROM audience_member").pluck().get()).to.equal(
      listed,
    );
  });

  it("keeps others' lines that named them, without the name", async () => {
    expect(await historyRows(store, EVAS)).to.deep.equal(evasBefore);
    const lines = await historyRows(
      store,
      "SELECT user_id, anonymous_id, identifiers, properties, traits FROM history WHERE message_id IN ('e2', 'e3') ORDER BY message_id",
    );
    expect(lines).to.deep.equal([
      {
        user_id: "eva-2210",
        anonymous_id: null,
        identifiers: '[["email","eva@voorbeeld.nl"]]',
        properties: '{"gift":{"to":"[erased]","phone":"[erased]","price":12,"from":"[erased]"}}',
        traits: '{"partner":"[erased]","name":"Eva"}',
      },
      {
        user_id: null,
        anonymous_id: "cookie-eva",
        identifiers: null,
        properties: null,
        traits: null,
      },
    ]);
    expect(findCustomer(store, eva).identifiers.map(({ value }) => value)).to.have.members([
      "eva-2210",
      "cookie-eva",
      "eva@voorbeeld.nl",
    ]);
    const [file = ""] = readdirSync(store.path("rejects"));
    const rejects = readFileSync(join(store.path("rejects"), file), "utf8");
    // A rejected row of Eva's that named Jan went; the one with a price of 7731 stayed.
    expect(rejects).to.match(/^row,field,reason,content\n5,occurredAt,.*""7731"".*\n$/);
  });

  it("removed what access had shown, and what the dry run had said", () => {
    const { tables, inbox, rejectedMessages, history, files } = shownOfJan as unknown as Parts;
    const removed = new Map(signed.receipt.stores.map((one) => [one.store, one.removed]));
    const shown = new Map<string, number>([
      ["history files", history.length],
      ["table inbox", inbox.length],
      ["table rejected_message", rejectedMessages.length],
      ...Object.entries(tables).map(([table, rows]) => [`table ${table}`, rows.length] as const),
      ...["audiences", "backtests", "rejects"].map((name) => {
        const rows = files.filter((one) => one.folder === name).flatMap((one) => one.rows);
        return [`${name} files`, rows.length] as const;
      }),
    ]);
    for (const [name, rows] of shown) {
      expect(rows, name).to.be.greaterThan(0);
      expect(removed.get(name), name).to.equal(rows);
    }
    expect([...removed.keys()].filter((name) => !shown.has(name))).to.deep.equal(["table message"]);
    expect(removedFrom(preview.stores)).to.deep.equal(removedFrom(signed.receipt.stores));
    expect(preview.identifiers).to.deep.equal(countTombstones(store));
  });

  it("signs a receipt that names nobody; a changed one does not verify", () => {
    const { receipt } = signed;
    const { publicKey } = openStoreKey(store);
    expect(readReceipt(store, receipt.id)).to.deep.equal(signed);
    expect(verifyReceipt(signed, publicKey)).to.equal(true);
    expect(receipt.backups.map((one) => one.folder)).to.deep.equal([join(folder, "backup")]);
    const changed = { ...receipt, backups: [] };
    expect(verifyReceipt({ ...signed, receipt: changed }, publicKey)).to.equal(false);
    expect(verifyReceipt({ ...signed, signature: "AAAA" }, publicKey)).to.equal(false);
    const text = JSON.stringify(signed);
    expect(TRACES.filter((trace) => text.includes(trace))).to.deep.equal([]);
    expect(receipt.models.versions.map(({ id }) => id)).to.deep.equal([
      "intent-v1",
      "repurchase-v1",
    ]);
    expect(statSync(join(store.folder, KEY_FILE)).mode & 0o777).to.equal(0o600);
  });

  it("refuses what is sent again, live and in files, and keeps none of it", async () => {
    const results = await send(
      store,
      { type: "track", userId: "jan-7731", event: "Product Viewed", messageId: "again" },
      { type: "track", anonymousId: "cookie-jan-5f0c", event: "Product Viewed" },
      { type: "track", userId: "jan-7731", event: "x", timestamp: "no time" },
      {
        type: "track",
        userId: "x",
        event: "x",
        timestamp: "no",
        traits: { m: "JAN.JANSEN@voorbeeld.nl" },
      },
      { type: "track", userId: "7", event: "Product Viewed", messageId: "fine" },
    );
    expect(
      results.map(({ status, field, reason }) => [status, field, reason?.slice(0, 17)].join(" ")),
    ).to.deep.equal([
      "rejected userId erased on request",
      "rejected anonymousId erased on request",
      "rejected timestamp expected an ISO 8",
      "rejected timestamp expected an ISO 8",
      "accepted  ",
    ]);
    const longer = `${TILL_CSV}t7,2024-06-02T10:00:00Z,jan-7731,A,5,\nt8,2024-06-02T10:00:00Z,7,A,5,\n`;
    const report = await importTill(store, folder, "longer.csv", longer);
    expect(report.rowsAccepted).to.equal(1);
    expect(report.rejectReasons["userId: erased on request"]).to.equal(3);
    await sealInbox(store);
    await resolveCustomers(store, plantedClock);
    expect(await tracesIn(store, ["jan-7731", "cookie-jan-5f0c"])).to.deep.equal([]);
  });

  it("erases them again from a backup that is restored", async () => {
    const request = { backup: join(folder, "backup"), former: store.folder, key: null, ...OPTIONS };
    const target = join(folder, "restored");
    const receipts = await restoreBackup(plantedClock, { ...request, target });
    expect(receipts).to.have.length(1);
    const restored = await openStore(target);
    expect(await tracesIn(restored)).to.deep.equal([]);
    expect(findCustomer(restored, eva).id).to.equal(findCustomer(store, eva).id);
    restored.close();
    const again = await restoreBackup(plantedClock, { ...request, target }).then(
      () => undefined,
      (error: unknown) => error as ServiceError,
    );
    expect(again?.field).to.equal("store");
  });

  it("takes them in again as somebody new where a tombstone is lifted", async () => {
    expect(() => {
      liftTombstone(store, "email", "nobody@x.nl");
    }).to.throw("no email of this value was erased");
    liftTombstone(store, "user_id", "jan-7731");
    const call = { type: "track", userId: "jan-7731", event: "Product Viewed", messageId: "m1" };
    const [result] = await send(store, call);
    expect(result?.status).to.equal("accepted");
    await resolveCustomers(store, plantedClock);
    expect(findCustomer(store, jan).id).to.be.greaterThan(number);
  });

  it("takes nothing in while the key is another, since they would come back unseen", async () => {
    store.sqlite.exec(
      "UPDATE tombstone SET key_id = 'other'; UPDATE tombstone_version SET version = version + 1",
    );
    const call = { type: "track", userId: "7", event: "x" };
    const refused = await send(store, call).then(
      () => undefined,
      (error: unknown) => error as ServiceError,
    );
    expect(refused?.message).to.include("put the right file back");
  });
});

describe("erasing from a store that others change", () => {
  it("reaches tables that were added later, and rewrites a database that kept bytes", async () => {
    await withStore(async (store, folder) => {
      await plant(store, folder);
      const { id } = findCustomer(store, jan);
      store.sqlite.pragma("secure_delete = OFF");
      store.sqlite.exec(
        `CREATE TABLE sync_state (customer_id INTEGER, sent TEXT);
         CREATE TABLE pair (left_identifier_id INTEGER, right_identifier_id INTEGER);
         INSERT INTO sync_state VALUES (${id}, 'jan-7731'), (${id + 1000}, 'x');
         INSERT INTO pair SELECT 1000, id FROM identifier WHERE value = 'cookie-jan-5f0c';
         CREATE TABLE scratch (text TEXT);
         INSERT INTO scratch VALUES ('jan.jansen@voorbeeld.nl');
         DELETE FROM scratch;`,
      );
      const { receipt } = await erasePerson(store, plantedClock, jan, OPTIONS);
      expect(receipt.verification.databaseRewritten).to.equal(true);
      expect(await tracesIn(store)).to.deep.equal([]);
      expect(store.sqlite.prepare("SELECT * FROM sync_state").all()).to.deep.equal([
        { customer_id: id + 1000, sent: "x" },
      ]);
      expect(store.sqlite.prepare("SELECT * FROM pair").all()).to.deep.equal([]);
    });
  });

  it("reaches files that were merged, and merged ones that somebody still reads", async () => {
    await withStore(async (store, folder) => {
      await plant(store, folder);
      for (const id of ["t8", "t9"]) {
        const more = `${TILL_CSV}${id},2024-06-02T10:00:00Z,jan-7731,A,5,\n`;
        await importTill(store, folder, `${id}.csv`, more);
      }
      await resolveCustomers(store, plantedClock);
      const reader = await store.openDuckDb();
      const limits = { filesMin: 3, fullBytes: 2 ** 30, filesMax: 10 };
      const { filesRetired } = await compactHistory(store, { limits });
      expect(filesRetired).to.equal(3);
      await erasePerson(store, plantedClock, jan, OPTIONS);
      expect(await tracesIn(store)).to.deep.equal([]);
      reader.close();
    });
  });

  it("takes the name from others' lines at hand, where they have it by what was nobody's", async () => {
    await withStore(async (store, folder) => {
      await plant(store, folder);
      await resolveCustomers(store, plantedClock);
      const name = store.sqlite.prepare(
        "UPDATE recent_event SET person = ? WHERE identifier_id = (SELECT id FROM identifier WHERE value = ?)",
      );
      const named = [
        ["jan-7731", eva.value],
        ['["email","jan.jansen@voorbeeld.nl"]', piet.value],
      ];
      for (const [text, other] of named) {
        expect(name.run(text, other).changes).to.be.greaterThan(0);
      }
      await erasePerson(store, plantedClock, jan, OPTIONS);
      expect(await tracesIn(store)).to.deep.equal([]);
    });
  });

  it("knows of every column of text whether it can name a person", async () => {
    await withStore((store) => {
      const unknown = textColumns(store.sqlite)
        .map((names) => names.join("."))
        .filter((name) => !NAMES.has(name) && !NAMELESS.has(name));
      // A column that is added is listed here, in NAMES with what erases it, else in NAMELESS.
      expect(unknown).to.deep.equal([]);
      return Promise.resolve();
    });
  });
});

/** Columns that can name a person: rows go by number, or the text is looked through (erase-rows-store.ts). */
const NAMES = new Set(
  `inbox.message_id inbox.user_id inbox.anonymous_id inbox.order_id inbox.properties inbox.identifiers inbox.traits inbox.consent
   rejected_message.message_id rejected_message.content rejected_message.reason
   identifier.value identifier_link.reason identifier_separation.reason customer_change.reason
   trait.name trait.value consent.basis consent_statement.basis order_summary.order_id pending_order.order_id recent_event.message_id recent_event.order_id recent_event.person
   prediction.facts prediction.probabilities duplicate.explanation`.split(/\s+/),
);

/** Columns that say nothing of persons, or only by a keyed hash. */
const NAMELESS = new Set(
  `artifact_file.version_id artifact_file.name artifact_file.sha256 history_file.sha256 history_file.damage store_identity.store_id identity_snapshot.sha256
   population_feature.entity population_feature.key population_run.features
   audience.kind audience.model_version audience.name audience.purpose audience.week audience_member.name audience_member.product
   backup.folder feature_build.facts feature_build.purpose feature_build.service feature_build.spine feature_build.statistics duplicate.status duplicate.decided_by known_import.import_run_id message_count.source message_count.kind
   message_count.name message_count.day source_rules.source source_rules.rules write_key.channel write_key.region import_count.import_run_id import_count.kind import_count.name
   retired_file.name retired_file.readers setting.name setting.value consent.jurisdiction consent.origin consent.purpose consent.source consent.status consent_statement.jurisdiction
   consent_statement.purpose consent_statement.source consent_statement.status customer_change.kind erasure.id erasure.receipt
   erasure.signature history_file.import_run_id history_file.name history_file.source identifier.source identifier.status
   identifier.type identifier_activity.channel identifier_activity.source identifier_link.origin identifier_link.source
   identity_rules.rules identity_snapshot.file import_run.checksum import_run.file import_run.id import_run.known_at_rule
   import_run.rejects_file import_run.source inbox.campaign inbox.category inbox.channel inbox.currency inbox.device inbox.event inbox.product_id
   inbox.product_name inbox.source inbox.type migration.name model_alias.alias model_alias.model
   model_alias.version_id model_version.card model_version.folder model_version.id model_version.kind model_version.model
   order_summary.currency order_summary.source pending_activity.channel pending_activity.source pending_file.file pending_order.currency
   pending_order.source prediction.product prediction_run.model prediction_run.version_id product.name
   product.product pruning_curve.curve pruning_curve.version_id recent_event.campaign recent_event.category recent_event.channel recent_event.currency recent_event.device recent_event.event
   recent_event.product_id recent_event.product_name recent_event.source recent_event.type rejected_message.field
   rejected_message.source source.mapping source.name stated_consent.basis stated_consent.jurisdiction stated_consent.purpose
   stated_consent.source tombstone.erasure_id tombstone.hash tombstone.key_id tombstone.type trait.source write_key.id write_key.sha256 write_key.source`.split(
    /\s+/,
  ),
);
