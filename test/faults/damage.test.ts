import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect } from "chai";
import { openStore } from "../../src/base/index.ts";
import { addTombstones } from "../../src/collection/index.ts";
import { makeTemplates, type Templates } from "../support/fault-shop.ts";
import {
  isClearLine,
  killAll,
  runHerkoop,
  type Serving,
  startHerkoop,
  untilServing,
} from "../support/processes.ts";

interface Kind {
  readonly name: string;
  /** The file of a store that is damaged. */
  find(folder: string): string;
  /** What reads it: addresses of a server, and a command. */
  readonly addresses: readonly string[];
  readonly command: readonly string[] | null;
}

/** The latest file under a folder, by its name, that has this in its name. */
function fileIn(folder: string, part: string, has: string): string {
  const found = readdirSync(join(folder, part), { recursive: true })
    .map(String)
    .sort()
    .findLast((name) => name.includes(has) && !name.includes("temporary"));
  if (found === undefined) {
    throw new Error(`no ${has} in ${part}`);
  }
  return join(folder, part, found);
}

const CUSTOMER = "/v1/customers/user_id/u1";
const INTENT = [`${CUSTOMER}/intent`, "/v1/intent?type=user_id&ids=u1,u2"];

const kinds: readonly Kind[] = [
  {
    name: "a history file",
    find: (folder) => fileIn(folder, "history", "shop-"),
    addresses: [`${CUSTOMER}/profile`, "/v1/health"],
    command: ["features", "list"],
  },
  {
    name: "a model's weights",
    find: (folder) => fileIn(folder, "models/conversion-intent", "weights.bin"),
    addresses: INTENT,
    command: ["score", "conversion-intent"],
  },
  {
    name: "a model",
    find: (folder) => fileIn(folder, "models/repurchase-week", "model.json"),
    addresses: ["/v1/models"],
    command: ["score", "repurchase-week"],
  },
  {
    name: "a model's card",
    find: (folder) => fileIn(folder, "models/conversion-intent", "card.json"),
    addresses: ["/v1/models", ...INTENT],
    command: null,
  },
  {
    name: "the identity snapshot",
    find: (folder) => fileIn(folder, "customers", ".parquet"),
    addresses: [CUSTOMER],
    command: ["score", "repurchase-week"],
  },
  {
    name: "the key",
    find: (folder) => join(folder, "herkoop.key"),
    addresses: [CUSTOMER],
    command: null,
  },
  {
    name: "an audience's file",
    find: (folder) => fileIn(folder, "audiences", "repurchase-"),
    addresses: ["/v1/audiences"],
    command: null,
  },
  {
    name: "a file of features",
    find: (folder) => fileIn(folder, "features", ".parquet"),
    addresses: [CUSTOMER],
    command: ["score", "repurchase-week"],
  },
];

const manners: Readonly<Record<string, (file: string) => void>> = {
  "some bytes of which are flipped": (file) => {
    const bytes = readFileSync(file);
    const from = Math.floor(bytes.length / 3);
    for (let at = from; at < Math.min(bytes.length, from + 41); at++) {
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
    }
    writeFileSync(file, bytes);
  },
  "that was cut off": (file) => {
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length / 2)));
  },
  "that is gone": (file) => {
    rmSync(file);
  },
};

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function answersOf(
  { url }: Serving,
  addresses: readonly string[],
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (const address of addresses) {
    const answer = await fetch(`${url}${address}`);
    answers.set(address, { status: answer.status, text: steady(await answer.text()) });
  }
  return answers;
}

/** An answer without the instants that every one of them has of its own. */
function steady(text: string): string {
  return text.replaceAll(
    /"(asOf|dataThrough|computedAt|status|problems)":("[^"]*"|\[[^\]]*\]|null)/g,
    '"$1":0',
  );
}

describe("a file that is damaged", function () {
  this.timeout(180_000);
  let templates: Templates;
  let sound: Map<string, Answer>;

  before(async () => {
    templates = await makeTemplates({ hasModels: true });
    const folder = templates.shop();
    await makeKey(folder);
    const server = await untilServing(startHerkoop(folder, ["serve", "--port", "0"]));
    sound = await answersOf(server, [...new Set(kinds.flatMap(({ addresses }) => addresses))]);
    await server.kill();
    for (const [address, { status, text }] of sound) {
      expect(status, `${address}: ${text}`).to.equal(200);
    }
  });
  afterEach(killAll);
  after(() => {
    templates.remove();
  });

  it("is not seen by the doctor in a sound store", async () => {
    const folder = templates.shop();
    const whole = await runHerkoop(folder, ["doctor"]);
    expect(whole.code, `doctor of a sound store: ${whole.stdout}${whole.stderr}`).to.equal(0);
  });

  for (const kind of kinds) {
    for (const [manner, damage] of Object.entries(manners)) {
      it(`${kind.name} ${manner} gives no wrong answer and no stack; the doctor names what is read`, async () => {
        const folder = templates.shop();
        await makeKey(folder);
        const file = kind.find(folder);
        expect(existsSync(file), file).to.equal(true);
        damage(file);
        const [doctor] = await Promise.all([
          runHerkoop(folder, ["doctor"]),
          expectNoWrongAnswer(folder, kind, sound),
        ]);
        if (kind.command !== null) {
          const used = await runHerkoop(folder, kind.command);
          expect(used.stderr).to.not.match(/^ {4}at /m);
          expect(used.code === 0 || isClearLine(used.stderr), used.stderr).to.equal(true);
        }
        // Nothing reads what was written out for people.
        if (!/features|audience/.test(kind.name)) {
          expect(doctor.code, doctor.stdout).to.not.be.oneOf([0, null]);
          expect(`${doctor.stdout}${doctor.stderr}`).to.include(basename(file));
        }
        expect(doctor.stderr).to.not.match(/^ {4}at /m);
      });
    }
  }
});

/** Makes the store need its key: for a tombstone of somebody who was erased. */
async function makeKey(folder: string): Promise<void> {
  const store = await openStore(folder);
  store.sqlite.prepare("INSERT INTO erasure VALUES ('an erasure', 0, NULL, 0, '{}', '')").run();
  addTombstones(store, [{ type: "user_id", value: "somebody erased" }], 0, "an erasure");
  store.close();
}

/** A server either refuses to start with a clear line, or answers as over the sound store or with an error that tells no path. */
async function expectNoWrongAnswer(
  folder: string,
  kind: Kind,
  sound: ReadonlyMap<string, Answer>,
): Promise<void> {
  const started = startHerkoop(folder, ["serve", "--port", "0"]);
  let server: Serving;
  try {
    server = await untilServing(started);
  } catch {
    expect(isClearLine(started.complained()), started.complained()).to.equal(true);
    return;
  }
  const answers = await answersOf(server, kind.addresses);
  await server.kill();
  for (const [address, { status, text }] of answers) {
    expect(text, address).to.not.include(folder);
    expect(text, address).to.not.match(/ {4}at |\\n {4}at/);
    if (status === 200) {
      expect(text, `${address} of a damaged store`).to.equal(sound.get(address)?.text);
    } else {
      expect(status, `${address}: ${text}`).to.be.oneOf([404, 409, 503]);
    }
  }
}
