import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import type { Store } from "../../src/base/index.ts";
import {
  CHANNELS,
  createWriteKey,
  IDENTIFIER_TYPES,
  PURPOSES,
  sealInbox,
} from "../../src/collection/index.ts";
import { historyRows } from "./live.ts";
import { apiOver, clock } from "./web.ts";

/** A request as it is sent: JSON text may hold what no JSON writer writes. */
interface HostileRequest {
  readonly address: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** Says more bytes than it sends, and hangs up. */
  readonly isBrokenOff: boolean;
}

const KEYS = [
  ..."type,event,messageId,userId,anonymousId,groupId,previousId,name,category,timestamp,sentAt".split(
    ",",
  ),
  ..."originalTimestamp,properties,traits,context,batch,products,product_id,sku,price,quantity".split(
    ",",
  ),
  ..."order_id,currency,total,cost,email,phone,externalIds,id,encoding,collection,consent".split(
    ",",
  ),
  ..."categoryPreferences,campaign,library,location,country,channel,writeKey".split(","),
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "", "a.b", "\\u0000"],
];

const TEXTS = [
  ...[
    "",
    " ",
    "u",
    "\\u0000",
    "\\ud800",
    "\\udfff\\ud800",
    "\\\\u0000",
    "null",
    "NaN",
    "'; --",
    "é".repeat(600),
  ],
  ...[
    "99999-01-01T00:00:00Z",
    "+099999-01-01T00:00:00Z",
    "2011-02-30T00:00:00Z",
    "2011-12-09T10:00:00Z",
  ],
  ...[
    "1969-12-31T23:59:59Z",
    "2011-12-09",
    "2011-12-09T25:00:00Z",
    "Jan@Example.com",
    "+31612345678",
    "0612345678",
  ],
  ...[
    "Order Completed",
    "Order Refunded",
    "Order Cancelled",
    "Ad Clicked",
    "track",
    "identify",
    "12.5",
    "-0",
    "0x10",
    "1e5",
  ],
].map((text) => `"${text}"`);

const NUMBERS =
  "0,-0,1,-1,0.1,1e999,-1e999,1e308,5e-324,9007199254740993,99999999999999999999999".split(",");

/** JSON text of any shape, with repeated keys. */
const json: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom(...TEXTS, ...NUMBERS, "null", "true", "false", "[]", "{}"),
    fc.string({ unit: "binary", maxLength: 20 }).map((text) => JSON.stringify(text)),
    fc
      .array(fc.tuple(fc.constantFrom(...KEYS), tie("value")), { maxLength: 6 })
      .map((fields) => objectText(fields)),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
    fc.nat(3_000).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  ),
})).value;

function objectText(fields: readonly (readonly [string, string])[]): string {
  return `{${fields.map(([key, value]) => `"${key}":${value}`).join(",")}}`;
}

/** A good call with a few fields, or fields within its fields, put wrong. */
const call: fc.Arbitrary<string> = fc
  .tuple(
    fc.uuid(),
    fc.constantFrom("track", "identify", "page", "alias", "group"),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), json), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), json), { maxLength: 3 }),
    fc.constantFrom("properties", "traits", "context"),
  )
  .map(([id, type, outer, inner, place]) =>
    objectText([
      ["messageId", `"${id}"`],
      ["type", `"${type}"`],
      ["userId", '"u"'],
      ["event", '"Order Completed"'],
      ["groupId", '"g"'],
      ["previousId", '"p"'],
      [place, objectText(inner)],
      ...outer,
    ]),
  );

const bodyText = fc.oneof(
  { weight: 4, arbitrary: call },
  {
    weight: 4,
    arbitrary: fc
      .array(fc.oneof(call, json), { maxLength: 5 })
      .map((calls) => `{"batch":[${calls.join(",")}]}`),
  },
  { weight: 2, arbitrary: json },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 50 }) },
);

const body: fc.Arbitrary<Buffer> = fc
  .tuple(
    bodyText,
    fc.constantFrom("plain", "plain", "plain", "gzip", "spoiled", "cut", "bytes"),
    fc.nat(),
  )
  .map(([text, how, at]) => {
    const plain = Buffer.from(text);
    const zipped = gzipSync(plain);
    switch (how) {
      case "gzip":
        return zipped;
      case "spoiled":
        zipped[at % zipped.length] = at % 256;
        return zipped;
      case "cut":
        return (at % 2 === 0 ? plain : zipped).subarray(0, at % (plain.length + 1));
      case "bytes":
        return Buffer.concat([
          plain.subarray(0, at % (plain.length + 1)),
          Buffer.from([0xff, 0xfe, at % 256]),
        ]);
      case "plain":
        return plain;
    }
  });

const ADDRESSES = "track,identify,page,screen,group,alias,batch,batch,batch,t,b".split(",");
const HEADER_VALUE = fc.constantFrom(
  "gzip",
  "deflate",
  "br, gzip",
  "text/html",
  "a".repeat(500),
  "application/json; charset=utf-16",
  "*",
  ";;;",
);

const hostileRequest: fc.Arbitrary<HostileRequest> = fc.record({
  address: fc.constantFrom(...ADDRESSES.map((name) => `/v1/${name}`)),
  body,
  headers: fc.dictionary(
    fc.constantFrom(
      "Content-Type",
      "Content-Encoding",
      "Accept",
      "Origin",
      "X-Forwarded-For",
      "Expect-Not",
    ),
    HEADER_VALUE,
    { maxKeys: 3 },
  ),
  isBrokenOff: fc.nat(19).map((number) => number === 0),
});

/** Sends one, and returns the status and text of the answer; status 0 where the sender hung up. */
async function send(
  url: string,
  key: string,
  hostile: HostileRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  const { address, headers, body: bytes, isBrokenOff } = hostile;
  const length = bytes.length + (isBrokenOff ? 100 : 0);
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${address}`,
      { method: "POST", headers: { ...headers, authorization, "Content-Length": length } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.once("end", () => {
          resolve({ status: response.statusCode ?? 0, text });
        });
      },
    );
    sent.once("error", (error) => {
      if (isBrokenOff) {
        resolve({ status: 0, text: "" });
      } else {
        reject(error);
      }
    });
    if (isBrokenOff) {
      sent.write(bytes, () => {
        sent.destroy();
      });
    } else {
      sent.end(bytes);
    }
  });
}

/** What came of hostile requests. */
export interface HostileOutcome {
  readonly statuses: ReadonlyMap<number, number>;
  readonly accepted: number;
  /** Bytes of the heap after each part of the requests. */
  readonly heap: readonly number[];
}

/**
 * Sends so many requests to the API over a store, the same for the same seed, and checks that each gets an
 * answer below 500 and that what was accepted can be read again and is as the history's columns say.
 */
export async function sendHostile(
  store: Store,
  requests: number,
  seed: number,
  heapUsed: () => number = () => 0,
): Promise<HostileOutcome> {
  const { app, lines } = apiOver(store);
  const { key } = createWriteKey(store, clock, "webshop", { region: "NL", isPublic: true });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const statuses = new Map<number, number>();
  const heap: number[] = [];
  let accepted = 0;
  try {
    const parts = 5;
    for (let part = 0; part < parts; part++) {
      for (const hostile of fc.sample(hostileRequest, {
        numRuns: requests / parts,
        seed: seed + part,
      })) {
        const { status, text } = await send(url, key, hostile);
        const failure = JSON.stringify(
          lines.findLast((line) => line["err"] !== undefined)?.["err"],
        );
        expect(status, `${failure} ${hostile.body.toString("base64")}`).to.be.below(500);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        accepted += text.split('"accepted"').length - 1;
      }
      lines.splice(0);
      heap.push(heapUsed());
    }
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await checkKept(store, accepted);
  return { statuses, accepted, heap };
}

async function checkKept(store: Store, accepted: number): Promise<void> {
  const rows = store.sqlite.prepare<[], Record<string, unknown>>("SELECT * FROM inbox").all();
  for (const row of rows) {
    checkRow(row);
  }
  const kept = rows.filter(({ line }) => line === 0).length;
  // The answer to a sender who hung up is read by nobody.
  expect(kept).to.be.within(accepted, accepted + 5);
  const { lines, linesLeftOut } = await sealInbox(store);
  expect([lines, linesLeftOut]).to.deep.equal([rows.length, 0]);
  const invalid = ["properties", "traits", "identifiers", "consent"].map(
    (column) =>
      `count(*) FILTER (${column} IS NOT NULL AND NOT json_valid(${column})) AS ${column}`,
  );
  const [counted] = await historyRows(
    store,
    `SELECT count(*) AS n, ${invalid.join(", ")} FROM history`,
  );
  const none = { properties: 0, traits: 0, identifiers: 0, consent: 0 };
  expect(counted).to.deep.equal({ n: rows.length, ...none });
  expect(
    ({} as Record<string, unknown>)["polluted"] ?? Object.keys(Object.prototype),
  ).to.deep.equal([]);
}

const UNWRITABLE = /[\0\p{Surrogate}]/u;

function checkRow(row: Readonly<Record<string, unknown>>): void {
  const told = JSON.stringify(row);
  for (const value of Object.values(row)) {
    expect(typeof value === "string" && UNWRITABLE.test(value), told).to.equal(false);
    expect(typeof value === "number" && !Number.isFinite(value), told).to.equal(false);
  }
  expect(row["user_id"] ?? row["anonymous_id"], told).to.be.a("string");
  const [occurred, known] = [Number(row["occurred_at_ms"]), Number(row["known_at_ms"])];
  expect(occurred, told).to.be.within(0, known);
  for (const column of ["price", "quantity", "cost"]) {
    expect(Math.abs(Number(row[column])), told).to.be.at.most(1e9);
  }
  expect([null, ...CHANNELS], told).to.include(row["channel"]);
  const parsed = (column: string): unknown => JSON.parse((row[column] as string | null) ?? "null");
  for (const [type, value] of (parsed("identifiers") ?? []) as [string, string][]) {
    expect(
      IDENTIFIER_TYPES.includes(type as never) || /^[a-z][a-z0-9_]*$/.test(type),
      told,
    ).to.equal(true);
    expect(value, told).to.be.a("string").with.length.within(1, 256);
  }
  const { jurisdiction, ...purposes } = (parsed("consent") ?? {}) as Record<string, unknown>;
  expect(jurisdiction ?? "", told).to.be.a("string");
  expect(PURPOSES, told).to.include.members(Object.keys(purposes));
  expect(
    Object.values(purposes).every((one) => typeof one === "boolean"),
    told,
  ).to.equal(true);
  parsed("traits");
  parsed("properties");
}
