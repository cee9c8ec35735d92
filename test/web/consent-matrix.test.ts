import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createLogger, openStore, type Store, silentProgress } from "../../src/base/index.ts";
import { defaultAsOf } from "../../src/collection/index.ts";
import { openOnlineStore } from "../../src/features/index.ts";
import { repurchaseTask, trainModel } from "../../src/models/index.ts";
import {
  currentRun,
  customerOutlook,
  eachPrediction,
  type LiveIntent,
  openLiveIntent,
  scoreAll,
} from "../../src/predictions/index.ts";
import { publishRun } from "../../src/predictions/prediction-store.ts";
import {
  countMembers,
  exportAudiences,
  getAudience,
  RETARGETING_POOL,
  readMembers,
  refreshAudiences,
} from "../../src/segments/index.ts";
import { smallIntentChampion } from "../support/intent.ts";
import { importLines, rhythmicOrders, shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";
import { apiOver, clock, type TestApi } from "../support/web.ts";

const STATUSES = ["granted", "denied", "unknown"] as const;
type Status = (typeof STATUSES)[number];
const PURPOSES = ["personalisation", "analytics", "advertising"] as const;
type Purpose = (typeof PURPOSES)[number];

interface Combination extends Readonly<Record<Purpose, Status>> {
  readonly id: number;
  readonly name: string;
}

/** A customer for every combination of what was said of the three purposes. */
const COMBINATIONS: readonly Combination[] = STATUSES.flatMap((personalisation) =>
  STATUSES.flatMap((analytics) =>
    STATUSES.map((advertising) => ({ personalisation, analytics, advertising })),
  ),
).map((one, index) => ({ ...one, id: index + 1, name: `u${index + 1}` }));

const AS_OF = Date.parse("2011-12-10T00:00:00Z");
const WEEK = "repurchase-2011-W50";

/** The rule, from docs/decisions/0022-purposes-and-consent.md. */
function isDenied({ personalisation, analytics }: Combination): boolean {
  return personalisation === "denied" || analytics === "denied";
}

function mayBeAddressed(one: Combination, purpose: Purpose): boolean {
  return one[purpose] === "granted" && !isDenied(one);
}

const namesOf = (is: (one: Combination) => boolean): string[] =>
  COMBINATIONS.filter(is)
    .map(({ name }) => name)
    .sort();

function say(store: Store, { id, ...one }: Combination): void {
  store.sqlite.prepare("DELETE FROM consent WHERE customer_id = ?").run(id);
  for (const purpose of PURPOSES.filter((name) => one[name] !== "unknown")) {
    store.sqlite
      .prepare(
        "INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at) VALUES (?, ?, ?, 's', 'b', 0)",
      )
      .run(id, purpose, one[purpose]);
  }
}

/** Everybody is scored and in every audience before anybody has said anything. */
async function fill(store: Store): Promise<void> {
  for (const { id, name } of COMBINATIONS) {
    store.sqlite.prepare("INSERT INTO customer (id, first_seen_at) VALUES (?, 0)").run(id);
    store.sqlite
      .prepare(
        "INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES ('user_id', ?, ?, 's', 0, 0)",
      )
      .run(name, id);
  }
  for (const model of ["repurchase-week", "conversion-intent"] as const) {
    store.sqlite
      .prepare("INSERT OR IGNORE INTO model_version VALUES (?, ?, 'network', 'x', '{}', 0, 0, 0)")
      .run(`${model}-v`, model);
    await publishRun(
      store,
      { model, versionId: `${model}-v`, asOf: AS_OF, dataThrough: AS_OF, computedAt: AS_OF },
      COMBINATIONS.map(({ id }) => ({
        customerId: id,
        product: model === "repurchase-week" ? "A" : "",
        probabilities: [0.4, 0.4, 0.2].slice(model === "repurchase-week" ? 0 : 1),
        percentile: 0.5,
        facts: {},
      })),
    );
  }
  await refreshAudiences(store, clock, { minimumProbability: 0 });
  for (const one of COMBINATIONS) {
    say(store, one);
  }
}

interface Matrix {
  readonly api: TestApi;
  readonly store: Store;
  /** A new listener over the same store, which remembers nobody. */
  readonly listen: () => LiveIntent;
}

/** The readers of one person: whom each answers. */
async function answered(api: TestApi, address: (name: string) => string): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of COMBINATIONS) {
    const { status, body } = await api.get(address(name));
    if (status === 200) {
      found.push(name);
    } else {
      expect(status).to.equal(403);
      expect(body).to.include({ type: "urn:herkoop:problem:forbidden", field: "consent" });
    }
  }
  return found.sort();
}

describe("the consent matrix", function () {
  this.timeout(120_000);
  let folder: string;
  let matrix: Matrix;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "herkoop-test-"));
    const store = await openStore(join(folder, "store"));
    const modelsFolder = join(folder, "models");
    await smallIntentChampion(store, modelsFolder);
    await fill(store);
    const online = openOnlineStore(store);
    const logger = createLogger("silent");
    const listen = (): LiveIntent => openLiveIntent({ store, clock, logger, online, modelsFolder });
    matrix = { api: apiOver(store, { online, intent: listen() }), store, listen };
  });

  after(() => {
    matrix.store.close();
    rmSync(folder, { recursive: true });
  });

  it("answers of one person unless they denied personalisation or analytics", async () => {
    const { api, store } = matrix;
    const expected = namesOf((one) => !isDenied(one));
    for (const suffix of ["predictions", "intent", "intent?reasons=2"]) {
      const found = await answered(api, (name) => `/v1/customers/user_id/${name}/${suffix}`);
      expect(found, suffix).to.deep.equal(expected);
    }
    const run = currentRun(store, "repurchase-week") ?? expect.fail("no run");
    const told = COMBINATIONS.filter(({ id }) => {
      try {
        return customerOutlook(store, run, id).products.length > 0;
      } catch (error) {
        expect(error).to.include({ code: "forbidden" });
        return false;
      }
    });
    expect(told.map(({ name }) => name).sort(), "command line").to.deep.equal(expected);
    const ids = COMBINATIONS.map(({ name }) => name).join(",");
    const { data, denied } = (await api.get(`/v1/intent?ids=${ids}`)).body as {
      data: { id: string }[];
      denied: string[];
    };
    expect(data.map(({ id }) => id).sort()).to.deep.equal(expected);
    expect([...denied].sort()).to.deep.equal(namesOf(isDenied));
  });

  it("addresses who agreed to the purpose and denied neither: audiences, their files", async () => {
    const { api, store } = matrix;
    const files = await exportAudiences(store, store.path("audiences"));
    for (const [name, purpose] of [
      [WEEK, "personalisation"],
      [RETARGETING_POOL, "advertising"],
    ] as const) {
      const expected = namesOf((one) => mayBeAddressed(one, purpose));
      const audience = getAudience(store, name);
      const members = readMembers(store, audience, { after: 0, limit: 100 });
      expect(members.map(({ customer }) => customer).sort(), name).to.deep.equal(expected);
      expect(countMembers(store, audience), name).to.equal(expected.length);
      const { body } = await api.get(`/v1/audiences/${name}?limit=100`);
      const { data } = body as { data: { customer: string }[] };
      expect(data.map(({ customer }) => customer).sort()).to.deep.equal(expected);
      const csv = files.find((file) => file.endsWith(`${name}.csv`)) ?? "";
      expect(namesIn(readFileSync(csv, "utf8")), csv).to.deep.equal(expected);
    }
  });

  it("tells a stream of who crosses it under the same rule", () => {
    const { store, listen } = matrix;
    for (const purpose of PURPOSES) {
      const told: number[] = [];
      const intent = listen();
      intent.subscribe({
        threshold: 1e-12,
        purpose,
        tell: ({ customerId }) => void told.push(customerId),
      });
      intent.take(touching(store));
      const names = COMBINATIONS.filter(({ id }) => told.includes(id)).map(({ name }) => name);
      expect(names.sort(), purpose).to.deep.equal(namesOf((one) => mayBeAddressed(one, purpose)));
    }
  });

  it("scores who did not deny it, in batches", async () => {
    await withStore(async (store, shop) => {
      await importLines(store, shop, rhythmicOrders(27, 60));
      const ids = store.sqlite
        .prepare<[], number>("SELECT id FROM customer ORDER BY id")
        .pluck()
        .all();
      const people = ids.map((id, index) => ({ ...(COMBINATIONS[index] ?? expect.fail()), id }));
      for (const one of people) {
        say(store, one);
      }
      const context = {
        store,
        modelsFolder: `${shop}/models`,
        clock: shopClock,
        logger: createLogger("silent"),
        progress: silentProgress,
        asOf: defaultAsOf(store, shopClock),
      };
      await trainModel(context, repurchaseTask({ minimumPurchases: 2 }));
      await scoreAll(context, repurchaseTask({ minimumPurchases: 2 }));
      const run = currentRun(store, "repurchase-week")?.id ?? 0;
      const scored = new Set([...eachPrediction(store, run)].map(({ customerId }) => customerId));
      expect([...scored].sort((a, b) => a - b)).to.deep.equal(
        people.filter((one) => !isDenied(one)).map(({ id }) => id),
      );
    });
  });

  it("refuses at once when somebody withdraws after they were scored", async () => {
    const { api, store } = matrix;
    const one = COMBINATIONS.find((person) => mayBeAddressed(person, "advertising"));
    const person = one ?? expect.fail("nobody");
    const addresses = ["predictions", "intent"].map(
      (what) => `/v1/customers/user_id/${person.name}/${what}`,
    );
    for (const address of addresses) {
      expect((await api.get(address)).status).to.equal(200);
    }
    say(store, { ...person, analytics: "denied" });
    for (const address of addresses) {
      expect((await api.get(address)).status).to.equal(403);
    }
    const members = readMembers(store, getAudience(store, RETARGETING_POOL), {
      after: 0,
      limit: 100,
    });
    expect(members.map(({ customer }) => customer)).to.not.include(person.name);
    say(store, person);
  });
});

function namesIn(csv: string): string[] {
  return csv
    .split("\n")
    .slice(1)
    .flatMap((row) => row.split(",")[2] ?? [])
    .sort();
}

/** Lines of everybody, as if they had just been taken. */
function touching(store: Store): Parameters<LiveIntent["take"]>[0] {
  const ids = store.sqlite
    .prepare<[], number>("SELECT id FROM identifier ORDER BY id")
    .pluck()
    .all();
  return {
    after: 0,
    through: 0,
    lines: ids.map((identifierId) => ({ identifierId })),
  } as unknown as Parameters<LiveIntent["take"]>[0];
}
