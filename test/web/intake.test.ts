import { expect } from "chai";
import { ServiceError } from "../../src/base/index.ts";
import { createIntake, type Intake, type Upload } from "../../src/web/intake.ts";

const MIB = 1024 * 1024;
const KIB = 1024;

interface Watched {
  readonly upload: Upload;
  /** The code it was cut with. */
  readonly cutWith: () => string | undefined;
}

/** An intake of 32 MiB whose seconds pass when the test says. */
function intakeAt(bytesMax = 32 * MIB): { intake: Intake; second: () => void } {
  let tick = (): void => undefined;
  const intake = createIntake(bytesMax, (_interval, work) => {
    tick = work;
    return () => undefined;
  });
  return {
    intake,
    second: () => {
      tick();
    },
  };
}

function open(intake: Intake, source?: string, isPublic = false): Watched {
  const upload = intake.open(source === undefined ? undefined : { source, isPublic });
  let code: string | undefined;
  upload.onCut((error) => {
    code = error.code;
  });
  return { upload, cutWith: () => code };
}

function codeOf(work: () => void): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof ServiceError ? error.code : "bug";
  }
  return undefined;
}

/** Lets a source hold all it can, in bodies of 4 MiB; returns how many bytes that were. */
function fill(intake: Intake, source: string): number {
  for (let bodies = 0; ; bodies++) {
    const { upload } = open(intake, source);
    if (
      codeOf(() => {
        upload.take(4 * MIB);
      }) !== undefined
    ) {
      upload.end();
      return bodies * 4 * MIB;
    }
  }
}

describe("the intake", () => {
  it("leaves something for the next source, however much the others hold", () => {
    const { intake } = intakeAt();
    expect(fill(intake, "first")).to.equal(16 * MIB);
    expect(fill(intake, "second")).to.equal(8 * MIB);
    expect(fill(intake, "third")).to.equal(4 * MIB);
    expect(
      codeOf(() => {
        open(intake, "fourth").upload.take(2 * MIB);
      }),
    ).to.equal(undefined);
  });

  it("gives unknown senders a share of their own, in which who holds back gives way", () => {
    const { intake } = intakeAt();
    const holding = Array.from({ length: 200 }, () => {
      const one = open(intake);
      one.upload.take(64 * KIB);
      return one;
    });
    expect(holding.filter(({ cutWith }) => cutWith() === undefined)).to.have.lengthOf(64);
    expect(holding.at(0)?.cutWith()).to.equal("overloaded");
    expect(holding.at(-1)?.cutWith()).to.equal(undefined);
    expect(fill(intake, "shop")).to.equal(16 * MIB);
  });

  it("takes no place from an unknown body that is being worked on", () => {
    const { intake } = intakeAt();
    for (let body = 0; body < 64; body++) {
      const { upload } = open(intake);
      upload.take(64 * KIB);
      upload.arrived();
    }
    expect(
      codeOf(() => {
        open(intake).upload.take(1);
      }),
    ).to.equal("overloaded");
  });

  it("lets the slow of a source give way once they are slow", () => {
    const { intake, second } = intakeAt();
    const holding = Array.from({ length: 4 }, () => open(intake, "web"));
    for (const { upload } of holding) {
      upload.take(4 * MIB - 1);
    }
    const attempt = (): string | undefined =>
      codeOf(() => {
        const { upload } = open(intake, "web");
        try {
          upload.take(MIB);
        } finally {
          upload.end();
        }
      });
    expect(attempt()).to.equal("overloaded");
    second();
    expect(attempt()).to.equal("overloaded");
    second();
    expect(attempt()).to.equal(undefined);
    expect(holding.map(({ cutWith }) => cutWith())).to.deep.equal([
      "overloaded",
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("ends a body that pauses for five seconds, or takes more than thirty", () => {
    const { intake, second } = intakeAt();
    const pausing = open(intake, "shop");
    const dripping = open(intake, "shop");
    const worked = open(intake, "shop");
    worked.upload.take(1);
    worked.upload.arrived();
    const endings: (string | undefined)[][] = [];
    for (let seconds = 1; seconds <= 31; seconds++) {
      if (dripping.cutWith() === undefined) {
        dripping.upload.take(1);
      }
      second();
      endings.push([pausing.cutWith(), dripping.cutWith(), worked.cutWith()]);
    }
    expect(endings[4]).to.deep.equal([undefined, undefined, undefined]);
    expect(endings[5]).to.deep.equal(["timed-out", undefined, undefined]);
    expect(endings[29]).to.deep.equal(["timed-out", undefined, undefined]);
    expect(endings[30]).to.deep.equal(["timed-out", "timed-out", undefined]);
  });

  it("holds a body to the limit of its sender, once that is known", () => {
    const { intake } = intakeAt();
    const limitOf = (upload: Upload): number => upload.bytesMax;
    expect(limitOf(open(intake, "shop").upload)).to.equal(4 * MIB);
    expect(limitOf(open(intake, "web", true).upload)).to.equal(512 * KIB);
    const { upload } = open(intake);
    upload.take(64 * KIB);
    expect(
      codeOf(() => {
        upload.take(1);
      }),
    ).to.equal("too-large");
    upload.identify({ source: "web", isPublic: true });
    upload.take(448 * KIB);
    expect(
      codeOf(() => {
        upload.take(1);
      }),
    ).to.equal("too-large");
  });
});
