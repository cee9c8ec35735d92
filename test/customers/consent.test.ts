import { expect } from "chai";
import fc from "fast-check";
import { type Clock, fixedClock, type Store } from "../../src/base/index.ts";
import { openInbox } from "../../src/collection/inbox-store.ts";
import type { EventLine } from "../../src/collection/index.ts";
import { createCollector, createWriteKey, sealInbox } from "../../src/collection/index.ts";
import {
  type ConsentStatement,
  currentStatement,
  type HeldStatement,
  mergeRepeated,
} from "../../src/customers/consent.ts";
import {
  createLiveResolver,
  findCustomer,
  type Identifier,
  resolveAgain,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-07-01T00:00:00Z");
const NOW = clock.now();
const DAY_MS = 86_400_000;

function statement(changes: Partial<HeldStatement>): HeldStatement {
  return {
    identifierId: 1,
    purpose: "advertising",
    statedAt: 0,
    arrivedAt: changes.statedAt ?? 0,
    source: "shop",
    status: "granted",
    isRepeated: false,
    isClaim: false,
    basis: "stated preference",
    jurisdiction: null,
    knownAt: 0,
    linkedAt: 0,
    ...changes,
  };
}

const statusOf = (all: readonly HeldStatement[], isKnown = true): string =>
  currentStatement(all, isKnown)?.status ?? "unknown";

/** A statement over the wire arrives when it was said or later; a row of a file has one time. */
const anything: fc.Arbitrary<HeldStatement> = fc
  .record({
    identifierId: fc.constantFrom(1, 2),
    statedAt: fc.integer({ min: 0, max: 8 }),
    delay: fc.integer({ min: 0, max: 8 }),
    source: fc.constantFrom("shop", "crm"),
    status: fc.constantFrom("granted" as const, "denied" as const),
    isRepeated: fc.boolean(),
    isClaim: fc.boolean(),
    linkedAt: fc.constantFrom(0, 4),
  })
  .map(({ delay, ...one }) => statement({ ...one, arrivedAt: one.statedAt + delay }));

describe("which statement of consent counts", () => {
  it("is decided by both clocks, the stricter where they contradict each other (docs/customers.md)", () => {
    const grant = (statedAt: number, arrivedAt = statedAt): HeldStatement =>
      statement({ statedAt, arrivedAt });
    const denial = (statedAt: number, arrivedAt = statedAt): HeldStatement =>
      statement({ status: "denied", statedAt, arrivedAt });
    const table: readonly (readonly [string, HeldStatement, HeldStatement, string])[] = [
      ["both clocks: denial, then grant", denial(10), grant(20), "granted"],
      ["both clocks: grant, then denial", denial(20), grant(10), "denied"],
      ["one batch, sent late", denial(10, 50), grant(20, 50), "granted"],
      ["a clock set back: stated before, arrived after", denial(10, 30), grant(20), "denied"],
      ["held up offline, or so it says", denial(10, 500), grant(20, 25), "denied"],
      ["a grant that was held up", denial(20), grant(10, 500), "denied"],
      ["at one instant", denial(20), grant(20), "denied"],
      ["a row of a file of long ago", denial(10), grant(20, 21), "granted"],
      ["a row with a grant, within the delay of a denial", denial(10, 30), grant(20), "denied"],
      ["a row with a grant, after a denial arrived", denial(10, 30), grant(40), "granted"],
    ];
    for (const [name, denied, granted, expected] of table) {
      expect(statusOf([denied, granted]), name).to.equal(expected);
    }
  });

  it("is the same in every order", () => {
    fc.assert(
      fc.property(
        fc.array(anything, { maxLength: 7 }),
        fc.boolean(),
        fc.integer(),
        (all, isKnown, seed) => {
          const shuffled = [...all].sort((a, b) => hash(a, seed) - hash(b, seed));
          expect(currentStatement(shuffled, isKnown)).to.deep.equal(currentStatement(all, isKnown));
        },
      ),
    );
  });

  it("is never granted by one more denial, nor while a denial arrived last", () => {
    fc.assert(
      fc.property(
        fc.array(anything, { maxLength: 7 }),
        anything,
        fc.boolean(),
        (all, one, isKnown) => {
          const denied = { ...one, status: "denied" as const };
          expect(statusOf([...all, denied], isKnown)).to.not.equal("unknown");
          if (statusOf(all, isKnown) !== "granted") {
            expect(statusOf([...all, denied], isKnown)).to.equal("denied");
          }
          const last = Math.max(0, ...all.map(({ arrivedAt }) => arrivedAt)) + 1;
          for (const statedAt of [0, one.statedAt, last]) {
            const latest = { ...denied, statedAt, arrivedAt: last };
            expect(statusOf([...all, latest], isKnown)).to.equal("denied");
          }
        },
      ),
    );
  });

  it("keeps of repeats what is no less strict than all of them, in any order", () => {
    fc.assert(
      fc.property(
        fc.array(anything, { minLength: 1, maxLength: 5 }),
        anything,
        (repeats, other) => {
          const same = repeats.map((one) => ({
            ...one,
            ...SAME,
            status: repeats[0]?.status ?? "denied",
          }));
          const merge = (list: readonly HeldStatement[]): HeldStatement =>
            list.reduce((kept, one) => ({
              ...kept,
              ...mergeRepeated(kept, one as ConsentStatement),
            }));
          expect(merge([...same].reverse())).to.include({
            statedAt: merge(same).statedAt,
            arrivedAt: merge(same).arrivedAt,
          });
          if (statusOf([...same, other]) === "denied" && other.status === "granted") {
            expect(statusOf([merge(same), other])).to.equal("denied");
          }
        },
      ),
    );
  });
});

const SAME = { identifierId: 1, source: "shop", isRepeated: true, isClaim: false, linkedAt: 0 };

function hash(one: HeldStatement, seed: number): number {
  return Math.imul(seed ^ (one.statedAt * 31 + one.arrivedAt * 17 + one.identifierId), 0x9e3779b1);
}

const JAN = { type: "user_id", value: "jan" };
const COOKIE = { type: "anonymous_id", value: "cookie" };
const WEB = "web";

function line(changes: Partial<EventLine>): EventLine {
  return {
    messageId: "m",
    line: 0,
    type: "track",
    event: "Segment Consent Preference Updated",
    occurredAt: NOW - 1_000,
    knownAt: changes.occurredAt ?? NOW,
    userId: null,
    anonymousId: null,
    orderId: null,
    productId: null,
    productName: null,
    quantity: null,
    price: null,
    currency: null,
    properties: null,
    channel: null,
    campaign: null,
    cost: null,
    identifiers: null,
    traits: null,
    consent: null,
    isClaim: false,
    category: null,
    device: null,
    ...changes,
  };
}

/** What a person says of advertising, by a page (a claim) or by the shop's server. */
function said(isGranted: boolean, isClaim: boolean, at: number): Partial<EventLine> {
  return {
    occurredAt: at,
    isClaim,
    anonymousId: "cookie",
    ...(isClaim ? {} : { userId: "jan" }),
    consent: JSON.stringify({ advertising: isGranted }),
  };
}

/** Names both, so that the visitor is the customer's. */
const LOGIN: Partial<EventLine> = {
  event: "Signed In",
  userId: "jan",
  anonymousId: "cookie",
  occurredAt: NOW - 500_000,
};

function receive(store: Store, lines: readonly Partial<EventLine>[]): void {
  if (store.sqlite.prepare("SELECT 1 FROM write_key").get() === undefined) {
    createWriteKey(store, clock, "shop");
    createWriteKey(store, clock, WEB, { isPublic: true });
  }
  const count = store.sqlite.prepare<[], number>("SELECT count(*) FROM message").pluck().get() ?? 0;
  lines.forEach((one, index) => {
    const messageId = `m${count + index}`;
    const own = line({ ...one, messageId });
    openInbox(store).append([
      {
        source: own.isClaim ? WEB : "shop",
        receivedAt: NOW,
        arrivals: [{ messageId, lines: [own], notes: [] }],
      },
    ]);
  });
}

function consentOf(store: Store, who: Identifier, purpose = "advertising"): string {
  const consent = findCustomer(store, who).consents.find((one) => one.purpose === purpose);
  return consent?.status ?? "unknown";
}

interface Case {
  readonly name: string;
  readonly lines: readonly Partial<EventLine>[];
  readonly who?: Identifier;
  readonly expected: string;
}

/**
 * Checks what counts when lines come one by one, when the history is read again, and when it comes the other
 * way round; each case has persons of its own.
 */
async function expectEveryWay(cases: readonly Case[]): Promise<void> {
  const own = (one: Partial<EventLine>, index: number): Partial<EventLine> => ({
    ...one,
    ...(one.userId === undefined ? {} : { userId: `jan${index}` }),
    ...(one.anonymousId === undefined ? {} : { anonymousId: `cookie${index}` }),
  });
  const all = cases.flatMap(({ lines }, index) => lines.map((one) => own(one, index)));
  const told = (store: Store): string[] =>
    cases.map(({ name, who = JAN }, index) => {
      const found = consentOf(store, { type: who.type, value: `${who.value}${index}` });
      return `${name}: ${found}`;
    });
  const expected = cases.map(({ name, expected: wanted }) => `${name}: ${wanted}`);
  await withStore(async (store) => {
    const resolve = createLiveResolver(store, clock);
    for (const one of all) {
      receive(store, [one]);
      resolve();
    }
    expect(told(store), "live").to.deep.equal(expected);
    await sealInbox(store);
    await resolveAgain(store, clock);
    expect(told(store), "read again").to.deep.equal(expected);
  });
  await withStore(async (store) => {
    receive(store, [...all].reverse());
    await sealInbox(store);
    await resolveCustomers(store, clock);
    expect(told(store), "the other way round").to.deep.equal(expected);
  });
}

describe("what a public key says of consent", () => {
  const [EARLIER, LATER] = [NOW - 200_000, NOW - 100_000];

  it("may deny, and never grants for a person who is known from elsewhere", async function () {
    this.timeout(120_000);
    const table: readonly (readonly [readonly Said[], string])[] = [
      [[["grant", "page"]], "unknown"],
      [[["deny", "page"]], "denied"],
      [[["grant", "server"]], "granted"],
      [[["deny", "server"]], "denied"],
      [
        [
          ["deny", "page"],
          ["grant", "page"],
        ],
        "denied",
      ],
      [
        [
          ["grant", "page"],
          ["deny", "page"],
        ],
        "denied",
      ],
      [
        [
          ["deny", "page"],
          ["grant", "server"],
        ],
        "granted",
      ],
      [
        [
          ["grant", "server"],
          ["deny", "page"],
        ],
        "denied",
      ],
      [
        [
          ["deny", "server"],
          ["grant", "page"],
        ],
        "denied",
      ],
      [
        [
          ["grant", "page"],
          ["deny", "server"],
        ],
        "denied",
      ],
      [
        [
          ["grant", "page"],
          ["grant", "server"],
        ],
        "granted",
      ],
    ];
    await expectEveryWay(
      table.flatMap(([words, expected]) => {
        const lines = words.map(([word, by], index) =>
          said(word === "grant", by === "page", index === 0 ? EARLIER : LATER),
        );
        const name = words.flat().join(" ");
        return [
          { name: `login, ${name}`, lines: [LOGIN, ...lines], expected },
          { name: `${name}, login`, lines: [...lines, LOGIN], expected },
        ];
      }),
    );
  });

  it("grants for its visitor while nothing else named it", async () => {
    const named = { event: "Product Viewed", anonymousId: "cookie", occurredAt: LATER };
    const claim = said(true, true, EARLIER);
    await expectEveryWay([
      { name: "alone", lines: [claim], who: COOKIE, expected: "granted" },
      { name: "named by the server", lines: [claim, named], who: COOKIE, expected: "unknown" },
    ]);
  });

  it("does not bring in what an operator states of the page's source, either", async () => {
    await withStore((store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [LOGIN]);
      resolve();
      store.sqlite.exec(
        "INSERT INTO stated_consent SELECT name, 'analytics', 'contract', NULL, 0 FROM source WHERE name = 'web'",
      );
      const view = { event: "Product Viewed", anonymousId: "cookie", isClaim: true };
      receive(store, [view, { ...view, anonymousId: "stranger" }]);
      resolve();
      expect(consentOf(store, JAN, "analytics")).to.equal("unknown");
      const stranger = { type: "anonymous_id", value: "stranger" };
      expect(consentOf(store, stranger, "analytics")).to.equal("granted");
      receive(store, [{ ...view, isClaim: false, anonymousId: "stranger" }]);
      resolve();
      expect(consentOf(store, stranger, "analytics")).to.equal("unknown", "named by the server");
      return Promise.resolve();
    });
  });
});

type Said = readonly ["grant" | "deny", "page" | "server"];

describe("consent and clocks", () => {
  it("holds a denial that was stamped three days before the grant it came after", async () => {
    const grant = said(true, false, NOW - DAY_MS);
    const denial = { ...said(false, false, NOW - 4 * DAY_MS), knownAt: NOW };
    await expectEveryWay([{ name: "set back", lines: [LOGIN, grant, denial], expected: "denied" }]);
  });

  it("holds a denial that came after the grant while the server's clock was set back", async () => {
    await withStore(async (store) => {
      let now = NOW;
      const stepping: Clock = { now: () => now };
      const { source } = createWriteKey(store, stepping, "shop");
      const collector = createCollector(store, stepping);
      const tell = async (advertising: boolean): Promise<void> => {
        await collector.collect({
          source,
          calls: [
            {
              type: "track",
              event: "Segment Consent Preference Updated",
              userId: "jan",
              timestamp: new Date(now).toISOString(),
              context: { consent: { categoryPreferences: { advertising } } },
            },
          ],
        });
      };
      await tell(true);
      now -= 3_600_000;
      await tell(false);
      await resolveCustomers(store, clock);
      expect(consentOf(store, JAN)).to.equal("denied");
      now += 7_200_000;
      await tell(true);
      await resolveCustomers(store, clock);
      expect(consentOf(store, JAN)).to.equal("granted");
    });
  });
});
