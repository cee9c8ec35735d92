import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, fixedClock, ServiceError, type Store, type Turns } from "../../src/base/index.ts";
import { currentRun, predictionsOf } from "../../src/predictions/index.ts";
import { type NewPrediction, publishRun } from "../../src/predictions/prediction-store.ts";
import { publishAudiences } from "../../src/segments/audience-store.ts";
import {
  countMembers,
  coveredWeeks,
  exportAudiences,
  getAudience,
  listAudiences,
  RETARGETING_POOL,
  readMembers,
  refreshAudiences,
  weekProbability,
} from "../../src/segments/index.ts";
import { withStore } from "../support/temporary.ts";

const SATURDAY = Date.parse("2011-12-10T00:00:00Z");
const clock = fixedClock("2011-12-10T06:00:00Z");

async function publish(
  store: Store,
  model: "repurchase-week" | "conversion-intent",
  predictions: readonly Partial<NewPrediction>[],
  asOf = SATURDAY,
  turns: Turns = {},
): Promise<void> {
  const versionId = `${model}-v`;
  store.sqlite
    .prepare(
      "INSERT INTO model_version VALUES (?, ?, 'network', 'x', '{}', 0, 0, 0) ON CONFLICT DO NOTHING",
    )
    .run(versionId, model);
  await publishRun(
    store,
    { model, versionId, asOf, dataThrough: asOf - DAY_MS, computedAt: clock.now() },
    predictions.map((one) => ({
      customerId: 1,
      product: "",
      probabilities: [0.5, 0.5],
      percentile: 0.5,
      facts: {},
      ...one,
    })),
    turns,
  );
}

/** Customers 1 to `count`, with consent to everything but for the given. */
function people(store: Store, count: number, without: readonly number[] = []): void {
  for (let id = 1; id <= count; id++) {
    store.sqlite.prepare("INSERT INTO customer (id, first_seen_at) VALUES (?, 0)").run(id);
    store.sqlite
      .prepare(
        "INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES ('user_id', ?, ?, 's', 0, 0)",
      )
      .run(`u${id}`, id);
    for (const purpose of without.includes(id) ? [] : ["advertising", "personalisation"]) {
      store.sqlite
        .prepare(
          "INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at) VALUES (?, ?, 'granted', 's', 'test', 0)",
        )
        .run(id, purpose);
    }
  }
}

describe("segments", () => {
  it("spreads a prediction's weeks over calendar weeks without making or losing probability", () => {
    const probabilities = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 1,
      maxLength: 14,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), probabilities, (asOf, drawn) => {
        const total = drawn.reduce((sum, value) => sum + value, 0.1);
        const weeks = [...drawn.map((value) => value / total), 0.1 / total];
        const covered = coveredWeeks(asOf, weeks.length - 1);
        const sum = covered.reduce((all, week) => all + weekProbability(weeks, week), 0);
        const within = weeks.slice(0, -1).reduce((all, value) => all + value, 0);
        expect(sum).to.be.at.most(within + 1e-9);
        // What is missing lies in the days of the last interval beyond the last whole calendar week.
        expect(sum).to.be.at.least(within - (weeks.at(-2) ?? 0) - 1e-9);
        expect(covered[0]?.fromDays).to.equal(0);
      }),
    );
  });

  it("is the model's own weeks when now is a Monday's midnight", () => {
    const weeks = coveredWeeks(Date.parse("2011-12-12T00:00:00Z"), 3);
    expect(weeks.map((week) => weekProbability([0.1, 0.2, 0.3, 0.4], week))).to.deep.equal([
      0.1, 0.2, 0.3,
    ]);
    const [first, second] = coveredWeeks(SATURDAY, 3);
    // Two days of this week are left, of seven in the first interval.
    expect(first?.id).to.equal("2011-W49");
    expect(weekProbability([0.7, 0.14, 0, 0.16], first ?? expect.fail())).to.be.closeTo(0.2, 1e-12);
    expect(weekProbability([0.7, 0.14, 0, 0.16], second ?? expect.fail())).to.be.closeTo(
      0.5 + 0.04,
      1e-12,
    );
  });

  it("publishes who is due in each week, the most probable first, and only with consent", async () => {
    await withStore(async (store) => {
      people(store, 3, [2]);
      await publish(store, "repurchase-week", [
        { customerId: 1, product: "A", probabilities: [0.07, 0.9, 0.03] },
        { customerId: 2, product: "A", probabilities: [0.5, 0.4, 0.1] },
        { customerId: 3, product: "B", probabilities: [0.9, 0.05, 0.05] },
      ]);
      const audiences = await refreshAudiences(store, clock, { minimumProbability: 0.1 });
      expect(audiences.map((audience) => [audience.name, audience.candidates])).to.deep.equal([
        ["repurchase-2011-W49", 2],
        ["repurchase-2011-W50", 3],
      ]);
      const week = getAudience(store, "repurchase-2011-W50");
      const members = readMembers(store, week, { after: 0, limit: 10 });
      expect(members.map((member) => [member.customer, member.product])).to.deep.equal([
        ["u3", "B"],
        ["u1", "A"],
      ]);
      expect(members[0]?.probability).to.be.closeTo(0.9 * (5 / 7) + 0.05 * (2 / 7), 1e-5);
      expect(week).to.include({
        modelVersion: "repurchase-week-v",
        asOf: "2011-12-10T00:00:00Z",
        dataThrough: "2011-12-09T00:00:00Z",
        computedAt: "2011-12-10T06:00:00Z",
      });
      expect(countMembers(store, week)).to.equal(2);
      store.sqlite.prepare("UPDATE consent SET status = 'denied' WHERE customer_id = 3").run();
      expect(
        readMembers(store, week, { after: 0, limit: 10 }).map((member) => member.customer),
      ).to.deep.equal(["u1"]);
      return Promise.resolve();
    });
  });

  it("replaces a published run and its audiences at once, counting versions up", async () => {
    await withStore(async (store) => {
      people(store, 2);
      await publish(store, "conversion-intent", [{ customerId: 1, probabilities: [0.2, 0.8] }]);
      await refreshAudiences(store, clock, { minimumProbability: 0 });
      await publish(store, "conversion-intent", [{ customerId: 2, probabilities: [0.6, 0.4] }]);
      expect(getAudience(store, RETARGETING_POOL).version).to.equal(1);
      await refreshAudiences(store, clock, { minimumProbability: 0 });
      const pool = getAudience(store, RETARGETING_POOL);
      expect(pool.version).to.equal(2);
      expect(
        readMembers(store, pool, { after: 0, limit: 5 }).map((member) => [
          member.customer,
          member.probability,
        ]),
      ).to.deep.equal([["u2", 0.6]]);
      expect(listAudiences(store)).to.have.length(1);
      const run = currentRun(store, "conversion-intent");
      expect(predictionsOf(store, run?.id ?? 0, 1)).to.deep.equal([]);
      expect(store.sqlite.prepare("SELECT count(*) AS n FROM prediction").get()).to.deep.equal({
        n: 1,
      });
      return Promise.resolve();
    });
  });

  it("keeps what is published where a publication fails half-way, and clears what it left", async () => {
    await withStore(async (store) => {
      const count = store.sqlite.prepare<[], number>("SELECT count(*) FROM prediction").pluck();
      people(store, 3);
      await publish(store, "conversion-intent", [{ customerId: 1, probabilities: [0.2, 0.8] }]);
      const failing = [{ customerId: 1 }, { customerId: 2 }, { percentile: Number.NaN }];
      for (const turns of [{ stepsMax: 1 }, {}]) {
        const error: unknown = await publish(store, "conversion-intent", failing, SATURDAY, {
          ...turns,
          pause: () => Promise.resolve(),
        }).catch((thrown: unknown) => thrown);
        expect(error)
          .to.be.instanceOf(Error)
          .and.match(/NOT NULL/);
        const run = currentRun(store, "conversion-intent");
        expect(predictionsOf(store, run?.id ?? 0, 1)[0]?.probabilities).to.deep.equal([0.2, 0.8]);
        expect(run?.rows).to.equal(1);
        expect(predictionsOf(store, run?.id ?? 0, 2)).to.deep.equal([]);
      }
      await publish(store, "conversion-intent", [{ customerId: 2 }]);
      expect(count.get()).to.equal(1);
    });
  });

  it("leaves out who was erased between scoring and publishing", async () => {
    await withStore(async (store) => {
      people(store, 2);
      await publish(store, "conversion-intent", [{ customerId: 99 }, { customerId: 2 }]);
      expect(currentRun(store, "conversion-intent")?.rows).to.equal(1);
    });
  });

  it("shows audiences all at once, and hides what an interrupted publication stored", async () => {
    await withStore(async (store) => {
      people(store, 3);
      await publish(store, "repurchase-week", [
        { customerId: 1, product: "A", probabilities: [0.5, 0.4, 0.1] },
        { customerId: 2, product: "A", probabilities: [0.5, 0.4, 0.1] },
      ]);
      const [first] = await refreshAudiences(store, clock, { minimumProbability: 0 });
      const members = (name: string): number =>
        readMembers(store, getAudience(store, name), { after: 0, limit: 9 }).length;
      const seen = new Set<string>();
      const { modelVersion, name } = first ?? { modelVersion: "", name: "" };
      const member = { customerId: 3, product: "A", probability: 0.5, percentile: 0.5 };
      const next = ["one", "two"].map((title) => ({
        ...({ name: title, kind: "repurchase", week: null, purpose: "advertising" } as const),
        members: [member, member],
      }));
      const stamp = { modelVersion, asOf: 0, dataThrough: 0, computedAt: 0 };
      await publishAudiences(store, "repurchase", next, stamp, {
        stepsMax: 1,
        pause: () => {
          const names = listAudiences(store).map((one) => `${one.name} ${members(one.name)}`);
          seen.add(names.join());
          return Promise.resolve();
        },
      });
      expect(seen.size).to.equal(2);
      expect([...seen]).to.deep.equal([
        [...seen].find((one) => one.includes(`${name} 2`)),
        "one 2,two 2",
      ]);
      expect(
        store.sqlite.prepare<[], number>("SELECT count(*) FROM audience_member").pluck().get(),
      ).to.equal(4);
    });
  });

  it("exports CSV that a spreadsheet opens without running it", async () => {
    await withStore(async (store, folder) => {
      people(store, 2);
      store.sqlite.prepare("INSERT INTO product VALUES ('A', '=HYPERLINK(\"x\"), 5\" disc')").run();
      await publish(store, "repurchase-week", [
        { customerId: 1, product: "A", probabilities: [0.7, 0.3] },
      ]);
      await refreshAudiences(store, clock, { minimumProbability: 0.01 });
      const [file] = await exportAudiences(store, folder);
      const [header, row] = readFileSync(file ?? "", "utf8").split("\n");
      expect(header).to.equal(
        "audience,position,customer,product,product_name,probability,percentile,model_version,as_of,data_through,computed_at",
      );
      expect(row).to.include(`repurchase-2011-W49,1,u1,A,"'=HYPERLINK(""x""), 5"" disc",0.2,0.5,`);
    });
  });

  it("says what to do where nothing is scored or published", async () => {
    await withStore(async (store) => {
      const error: unknown = await refreshAudiences(store, clock, { minimumProbability: 0 }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error)
        .to.be.instanceOf(ServiceError)
        .and.match(/run "herkoop score"/);
      expect(() => getAudience(store, "x")).to.throw(ServiceError, /audiences --refresh/);
      return Promise.resolve();
    });
  });
});
