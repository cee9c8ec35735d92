import { expect } from "chai";
import {
  basic,
  type Held,
  holdBodies,
  nestedBatchGzip,
  nestedGzip,
  postMany,
  release,
  wideGzip,
} from "../support/attackers.ts";
import { type Serving, whileServing } from "../support/serving.ts";

const MIB = 1024 * 1024;
const KIB = 1024;

/** A real sender of each kind posts, and what each was answered. */
async function realSenders({ url, secret, public: key }: Serving): Promise<(number | undefined)[]> {
  const page = (more: object): Buffer =>
    Buffer.from(JSON.stringify({ batch: [{ type: "page", anonymousId: "v", ...more }], ...more }));
  const large = page({ context: { text: "x".repeat(20_000) } });
  const [byServer] = await postMany(url, large, 1, { headers: basic(secret) });
  const [byPage] = await postMany(url, large, 1, { headers: basic(key) });
  const [beacon] = await postMany(url, page({ writeKey: key }), 1);
  const [inAddress] = await postMany(url, page({}), 1, { path: `/v1/batch?writeKey=${key}` });
  return [byServer, byPage, beacon, inAddress];
}

const ALL_ANSWERED = [200, 200, 200, 200];

/** Attacks a server, and releases what is held before the server closes. */
async function under(
  attack: (serving: Serving) => Promise<Held[]>,
  look: (serving: Serving, held: readonly Held[]) => Promise<void>,
): Promise<void> {
  await whileServing(async (serving) => {
    const held = await attack(serving);
    try {
      await look(serving, held);
    } finally {
      release(held);
    }
  });
}

describe("a flood without a key", () => {
  it("of large bodies that are held back is refused before they are read, whatever key it states", async () => {
    for (const headers of [{}, basic("hk_wrong"), { Authorization: "Bearer x" }]) {
      await under(
        ({ url }) => holdBodies(url, { count: 40, announce: 4 * MIB, headers }),
        async (serving, held) => {
          expect(await realSenders(serving)).to.deep.equal(ALL_ANSWERED);
          const statuses = new Set(await Promise.all(held.map(({ status }) => status)));
          expect([...statuses]).to.deep.equal([401]);
        },
      );
    }
  });

  it("of small bodies that are held back loses its places to beacons", async () => {
    await under(
      ({ url }) => holdBodies(url, { count: 200, announce: 60 * KIB, path: "/v1/page" }),
      async (serving, held) => {
        for (let round = 0; round < 5; round++) {
          expect(await realSenders(serving)).to.deep.equal(ALL_ANSWERED);
        }
        const first = await held[0]?.status;
        expect(first).to.equal(429);
      },
    );
  });

  it("of bodies that expand is refused before they are parsed", async () => {
    await whileServing(async (serving) => {
      for (const body of [nestedGzip(), nestedBatchGzip(), wideGzip()]) {
        const [statuses, answered] = await Promise.all([
          postMany(serving.url, body, 10),
          realSenders(serving),
        ]);
        expect(statuses).to.deep.equal(Array(10).fill(401));
        expect(answered).to.deep.equal(ALL_ANSWERED);
        expect(await postMany(serving.url, body, 2, { headers: basic("hk_no") })).to.deep.equal([
          401, 401,
        ]);
      }
    });
  });
});

describe("a flood with the public key of a page", () => {
  it("of bodies that are held back takes nothing from other sources, and gives way in its own", async () => {
    await under(
      ({ url, public: key }) =>
        holdBodies(url, { count: 40, announce: 512 * KIB, headers: basic(key) }),
      async (serving, held) => {
        // They hold all they can once the first of them is refused.
        expect(await Promise.race(held.map(({ status }) => status))).to.equal(429);
        const [byServer] = await realSenders(serving);
        expect(byServer).to.equal(200);
        serving.second();
        serving.second();
        expect(await realSenders(serving)).to.deep.equal(ALL_ANSWERED);
      },
    );
  });

  it("ends in time, where it holds back", async () => {
    await under(
      ({ url, public: key }) =>
        holdBodies(url, { count: 3, announce: 512 * KIB, headers: basic(key) }),
      async ({ second }, held) => {
        const over = { isSo: false };
        const statuses = Promise.all(held.map(({ status }) => status)).finally(() => {
          over.isSo = true;
        });
        // What is on its way may arrive after the first seconds.
        while (!over.isSo) {
          second();
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(await statuses).to.deep.equal([408, 408, 408]);
      },
    );
  });

  it("of bodies that expand is refused; with a secret key, what is nested too deep is refused alone", async () => {
    await whileServing(async (serving) => {
      const { url, secret, public: key } = serving;
      const deep = nestedBatchGzip();
      expect(await postMany(url, deep, 5, { headers: basic(key) })).to.deep.equal(
        Array(5).fill(413),
      );
      expect(await postMany(url, deep, 2, { headers: basic(secret) })).to.deep.equal([200, 200]);
      expect(await postMany(url, wideGzip(), 2, { headers: basic(secret) })).to.deep.equal([
        413, 413,
      ]);
      expect(await realSenders(serving)).to.deep.equal(ALL_ANSWERED);
    });
  });
});

describe("a key in the body", () => {
  it("may come with more than a beacon holds, where it stands at the beginning", async () => {
    await whileServing(async ({ url, public: key }) => {
      const event = { type: "page", anonymousId: "v", properties: { text: "x".repeat(20_000) } };
      const batch = Array.from({ length: 10 }, (_, index) => ({
        ...event,
        messageId: `m${index}`,
      }));
      const first = Buffer.from(JSON.stringify({ writeKey: key, batch }));
      const last = Buffer.from(JSON.stringify({ batch, writeKey: key }));
      expect(await postMany(url, first, 1)).to.deep.equal([200]);
      expect(await postMany(url, last, 1)).to.deep.equal([401]);
    });
  });
});
