import { expect } from "chai";
import fc from "fast-check";
import {
  dayStart,
  isoWeekOf,
  isoWeeksFrom,
  parseInstant,
  ServiceError,
  WEEK_MS,
} from "../../src/base/index.ts";

describe("base/calendar", () => {
  it("numbers the ISO weeks at the turns of the year as ISO 8601 does", () => {
    // From the ISO 8601 article's table of dates and week dates.
    const known: readonly (readonly [string, string])[] = [
      ["1977-01-01", "1976-W53"],
      ["1977-01-02", "1976-W53"],
      ["1978-01-01", "1977-W52"],
      ["1978-01-02", "1978-W01"],
      ["1980-12-28", "1980-W52"],
      ["1980-12-29", "1981-W01"],
      ["1982-01-03", "1981-W53"],
      ["2010-01-03", "2009-W53"],
      ["2011-12-09", "2011-W49"],
      ["2020-12-31", "2020-W53"],
    ];
    for (const [date, week] of known) {
      expect(isoWeekOf(Date.parse(date)).id, date).to.equal(week);
    }
  });

  it("holds every instant in exactly one half-open week that starts on a Monday", () => {
    fc.assert(
      fc.property(fc.integer({ min: -3e12, max: 6e12 }), (instant) => {
        const week = isoWeekOf(instant);
        expect(week.start).to.be.at.most(instant);
        expect(week.end).to.be.above(instant);
        expect(week.end - week.start).to.equal(WEEK_MS);
        expect(new Date(week.start).getUTCDay()).to.equal(1);
        expect(isoWeekOf(week.start - 1).id).to.not.equal(week.id);
      }),
    );
  });

  it("lists consecutive weeks from the one that holds the instant", () => {
    const weeks = isoWeeksFrom(Date.parse("2011-12-10T00:00:00Z"), 5).map((week) => week.id);
    expect(weeks).to.deep.equal(["2011-W49", "2011-W50", "2011-W51", "2011-W52", "2012-W01"]);
  });

  it("reads dates as UTC and refuses what depends on the machine", () => {
    expect(parseInstant("2011-09-17", "cutoff")).to.equal(Date.UTC(2011, 8, 17));
    expect(parseInstant("2011-09-17T02:00:00+02:00", "cutoff")).to.equal(Date.UTC(2011, 8, 17));
    for (const text of ["2011-09-17T02:00:00", "2011-02-30", "17/09/2011", "", "now"]) {
      expect(() => parseInstant(text, "cutoff"), text).to.throw(
        ServiceError,
        /^cutoff: expected a date/,
      );
    }
  });

  it("starts the day at midnight UTC", () => {
    expect(dayStart(Date.parse("2011-12-09T23:59:59.999Z"))).to.equal(Date.UTC(2011, 11, 9));
  });
});
