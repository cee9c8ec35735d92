import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DAY_MS,
  fixedClock,
  literal,
  messageKey,
  type Store,
  toIso,
} from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  type ImportReport,
  importFile,
  type MessageResult,
  parseMapping,
  sealInbox,
} from "../../src/collection/index.ts";
import {
  accessPerson,
  findCustomer,
  type Identifier,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { publishRun } from "../../src/predictions/prediction-store.ts";
import { exportAudiences, refreshAudiences } from "../../src/segments/index.ts";
import { readRows } from "./live.ts";
import { cardOf } from "./web.ts";

const NOW = Date.parse("2024-07-01T00:00:00Z");
export const plantedClock = fixedClock(toIso(NOW));

/** Jan, by every name Jan has, as normalised. */
export const JAN: readonly Identifier[] = [
  { type: "user_id", value: "jan-7731" },
  { type: "loyalty_id", value: "LOY/99-4417" },
  { type: "email", value: "jan.jansen@voorbeeld.nl" },
  { type: "phone", value: "+31612345678" },
  { type: "anonymous_id", value: "cookie-jan-5f0c" },
  { type: "anonymous_id", value: 'café-"visitor"-ü' },
  { type: "anonymous_id", value: "cookie-late-77" },
];
export const jan: Identifier = { type: "user_id", value: "jan-7731" };
export const eva: Identifier = { type: "user_id", value: "eva-2210" };
export const piet: Identifier = { type: "user_id", value: "7" };

/** Text by which Jan could be known, in any byte. */
export const TRACES: readonly string[] = [
  ...JAN.map(({ value }) => value),
  'café-\\"visitor\\"-ü',
  "caf\\u00e9",
  "0612345678",
  "06 12345678",
  "+31 6 1234 5678",
  "Jan.Jansen@Voorbeeld.NL",
  "JAN.JANSEN@voorbeeld.nl",
];

/** A line as live collection writes it where it reads everything that a call says. */
export interface PlantedLine {
  readonly id: string;
  readonly user?: string;
  readonly visitor?: string;
  readonly identifiers?: readonly (readonly [string, string])[];
  readonly traits?: object;
  readonly properties?: object;
  readonly consent?: object;
  readonly event?: string;
  readonly isClaim?: boolean;
}

const AGREED = { advertising: true, personalisation: true, jurisdiction: "NL" };

const SEALED: readonly PlantedLine[] = [
  {
    id: "m1",
    user: "jan-7731",
    visitor: "cookie-jan-5f0c",
    identifiers: [
      ["loyalty_id", "LOY/99-4417"],
      ["email", "jan.jansen@voorbeeld.nl"],
      ["phone", "+31612345678"],
    ],
    traits: { name: "Jan Jansen", email: "Jan.Jansen@Voorbeeld.NL", phone: "06 12345678" },
    properties: { note: "mail jan.jansen@voorbeeld.nl" },
    consent: AGREED,
  },
  { id: "m2", visitor: "cookie-jan-5f0c", event: "Product Viewed" },
  { id: "m3", user: "jan-7731", visitor: 'café-"visitor"-ü' },
  { id: "order of jan-7731", identifiers: [["email", "jan.jansen@voorbeeld.nl"]] },
  { id: "p1", user: "7", traits: { name: "Piet" }, properties: { a: 7731 }, consent: AGREED },
  { id: "e1", user: "eva-2210", visitor: "cookie-eva", traits: { name: "Eva" }, consent: AGREED },
  {
    id: "e2",
    user: "eva-2210",
    identifiers: [
      ["email", "jan.jansen@voorbeeld.nl"],
      ["email", "eva@voorbeeld.nl"],
    ],
    properties: {
      gift: { to: "JAN.JANSEN@voorbeeld.nl", phone: "0612345678", price: 12, from: "jan-7731" },
    },
    traits: { partner: "+31 6 1234 5678", name: "Eva" },
  },
  { id: "e3", user: "jan-7731", visitor: "cookie-eva", isClaim: true },
];

const WAITING: readonly PlantedLine[] = [
  { id: "w1", user: "jan-7731", visitor: "cookie-late-77", properties: { path: "/cart" } },
  { id: "w2", user: "7", properties: { path: "/shelf/7" } },
  { id: "w3", user: "eva-2210", properties: { friend: "jan-7731", as: 'café-"visitor"-ü' } },
];

/** Adds lines to the inbox, a message each. */
function addLines(store: Store, lines: readonly PlantedLine[]): void {
  const message = store.sqlite.prepare("INSERT INTO message VALUES (?)");
  const insert = store.sqlite.prepare(
    `INSERT INTO inbox (source, message_id, line, type, event, occurred_at_ms, known_at_ms, user_id, anonymous_id, order_id, product_id,
       quantity, price, currency, properties, channel, identifiers, traits, consent, is_claim)
     VALUES ('webshop', ?, 0, 'track', ?, ?, ?, ?, ?, ?, 'A', 1, 5, 'EUR', ?, 'web', ?, ?, ?, ?)`,
  );
  const json = (value: unknown): string | null =>
    value === undefined ? null : JSON.stringify(value);
  for (const [index, line] of lines.entries()) {
    const at = NOW - (60 - index) * DAY_MS;
    message.run(messageKey("webshop", line.id));
    insert.run(
      line.id,
      line.event ?? "Order Completed",
      at,
      at,
      line.user ?? null,
      line.visitor ?? null,
      `order-${index}`,
      json(line.properties),
      json(line.identifiers),
      json(line.traits),
      json(line.consent),
      line.isClaim === true ? 1 : 0,
    );
  }
}

export const TILL_CSV = [
  "id,at,customer,sku,price,remark",
  "t1,2024-05-01T10:00:00Z,jan-7731,A,5,paid by LOY/99-4417",
  't2,2024-05-02T10:00:00Z,eva-2210,B,6,"for ""jan.jansen@voorbeeld.nl"""',
  "t3,not a time,jan-7731,A,5,",
  "t4,not a time,eva-2210,A,5,call +31 6 1234 5678",
  "t5,not a time,eva-2210,A,7731,",
  "t6,2024-05-03T10:00:00Z,7,B,6,",
  "",
].join("\n");

const TILL = parseMapping({
  source: "till",
  event: [{ name: "Order Completed" }],
  knownAt: "occurredAt",
  fields: {
    messageId: "id",
    occurredAt: { column: "at", zone: "UTC" },
    userId: "customer",
    productId: "sku",
    price: "price",
  },
});

/** Imports the till's rows. */
export async function importTill(
  store: Store,
  folder: string,
  name: string,
  text: string,
): Promise<ImportReport> {
  const file = join(folder, name);
  writeFileSync(file, text);
  return importFile(store, plantedClock, { file, mapping: TILL });
}

/** Sends calls live. */
export async function send(store: Store, ...calls: object[]): Promise<readonly MessageResult[]> {
  return createCollector(store, plantedClock).collect({ source: "webshop", calls });
}

/** Puts Jan everywhere, with Eva, who mentions Jan, and Piet, who doesn't. */
export async function plant(store: Store, folder: string): Promise<void> {
  createWriteKey(store, plantedClock, "webshop");
  addLines(store, SEALED);
  await sealInbox(store);
  await importTill(store, folder, "till.csv", TILL_CSV);
  addLines(store, [{ id: "w0", visitor: "cookie-late-77", event: "Product Viewed" }]);
  await resolveCustomers(store, plantedClock);
  addLines(store, WAITING);
  await send(
    store,
    { type: "track", userId: "jan-7731", event: "x", timestamp: "no time" },
    {
      type: "track",
      userId: "x",
      event: "x",
      timestamp: "no time",
      traits: { mail: "mailto:Jan.Jansen@Voorbeeld.NL" },
    },
    { type: "track", userId: "eva-2210", event: "x", timestamp: "no time" },
  );
  await resolveCustomers(store, plantedClock);
  store.sqlite.exec(
    `INSERT INTO identifier_separation SELECT min(id), max(id), 'jan.jansen@voorbeeld.nl is not Eva', 0
     FROM identifier WHERE type = 'user_id' AND value IN ('jan-7731', 'eva-2210');
     INSERT INTO duplicate (left_identifier_id, right_identifier_id, match_weight, probability, explanation, found_at)
     SELECT low_id, high_id, 3, 0.8, '{}', 0 FROM identifier_separation;
     INSERT INTO pending_activity SELECT identifier_id, source, channel, 1, first_at, last_at, 1 FROM identifier_activity;
     INSERT INTO pending_order SELECT * FROM order_summary`,
  );
  await publish(store);
  await exportAudiences(store, store.path("audiences"));
  await writeBacktest(store);
}

async function publish(store: Store): Promise<void> {
  const { sqlite } = store;
  for (const [model, id, asOf] of [
    ["repurchase-week", "repurchase-old", NOW - 100 * DAY_MS],
    ["repurchase-week", "repurchase-v1", NOW],
    ["conversion-intent", "intent-v1", NOW],
  ] as const) {
    sqlite
      .prepare("INSERT INTO model_version VALUES (?, ?, 'network', 'folder', ?, ?, ?, ?)")
      .run(id, model, JSON.stringify(cardOf(model, "network", [])), asOf, asOf, asOf);
  }
  const common = { asOf: NOW, dataThrough: NOW, computedAt: NOW };
  const scores = [jan, eva, piet].map((one) => ({
    customerId: findCustomer(store, one).id,
    percentile: 0.5,
    facts: { daysSinceLastPurchase: 31 },
  }));
  await publishRun(
    store,
    { ...common, model: "repurchase-week", versionId: "repurchase-v1" },
    scores.map((one) => ({ ...one, product: "A", probabilities: [0.2, 0.2, 0.2, 0.4] })),
  );
  await publishRun(
    store,
    { ...common, model: "conversion-intent", versionId: "intent-v1" },
    scores.map((one) => ({ ...one, product: "", probabilities: [0.4, 0.6] })),
  );
  await refreshAudiences(store, plantedClock, { minimumProbability: 0.05 });
}

async function writeBacktest(store: Store): Promise<void> {
  const file = join(store.path("backtests"), "repurchase-week-2024-06-01.parquet");
  await readRows(
    store,
    `COPY (SELECT * FROM (VALUES ('jan-7731', 'A', 0.4), ('eva-2210', 'A', 0.5), ('7', '7731', 0.2)) t(customer, product, week_1))
     TO ${literal(file)} (FORMAT parquet)`,
  );
}

/** Everything the store shows of a person, parsed. */
export async function accessed(
  store: Store,
  who: Identifier,
): Promise<Readonly<Record<string, unknown>>> {
  let text = "";
  for await (const part of accessPerson(store, plantedClock, who)) {
    text += part;
  }
  return JSON.parse(text) as Record<string, unknown>;
}

/** `file: trace` for every trace in the bytes of a file of the store, Parquet also as it reads. */
export async function tracesIn(
  store: Store,
  traces: readonly string[] = TRACES,
): Promise<string[]> {
  const files = readdirSync(store.folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(store.folder, name)).isFile());
  const found: string[] = [];
  for (const name of files) {
    const path = join(store.folder, name);
    const bytes = readFileSync(path);
    const rows = name.endsWith(".parquet")
      ? JSON.stringify(await readRows(store, `SELECT * FROM read_parquet(${literal(path)})`))
      : "";
    found.push(
      ...traces
        .filter((trace) => bytes.includes(trace) || rows.includes(trace))
        .map((trace) => `${name}: ${trace}`),
    );
  }
  return found.sort();
}
