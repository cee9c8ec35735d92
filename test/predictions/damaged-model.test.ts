import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import request from "supertest";
import { createProblems, ServiceError, type Store } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { resolveInbox } from "../../src/customers/index.ts";
import { openOnlineStore } from "../../src/features/index.ts";
import {
  type Artifact,
  artifactFiles,
  loadArtifact,
  loadServing,
  verifyArtifacts,
} from "../../src/models/index.ts";
import type { IntentModel } from "../../src/models/intent/intent-model.ts";
import type { IntentNetwork } from "../../src/models/intent/network.ts";
import { openLiveIntent } from "../../src/predictions/index.ts";
import { createApp } from "../../src/web/index.ts";
import { crownIntent, smallIntentChampion } from "../support/intent.ts";
import { withStore } from "../support/temporary.ts";

const MODEL = "conversion-intent";
const JUNE = Date.parse("2024-06-01T00:00:00Z");

interface Models {
  readonly store: Store;
  readonly folder: string;
  readonly first: Artifact;
  /** The champion. */
  readonly second: Artifact;
  readonly fileOf: (version: Artifact, name: string) => string;
}

describe("a damaged model", function () {
  this.timeout(120_000);

  it("is listed by file: what is gone, and what is not as it was registered", async () => {
    await withModels(({ store, folder, first, second, fileOf }) => {
      expect(verifyArtifacts(store, folder)).to.deep.equal([]);
      const listed = artifactFiles(store, folder);
      expect(listed.map(({ path }) => path)).to.have.members(
        [first, second].flatMap(({ id }) =>
          ["card.json", "model.json", "weights.bin"].map((name) => `${MODEL}/${id}/${name}`),
        ),
      );
      for (const { path, bytes } of listed) {
        expect(readFileSync(join(folder, path)).length).to.equal(bytes);
      }
      flip(fileOf(second, "weights.bin"));
      rmSync(fileOf(first, "card.json"));
      expect(verifyArtifacts(store, folder)).to.deep.equal([
        { model: MODEL, version: first.id, file: "card.json", fault: "missing" },
        { model: MODEL, version: second.id, file: "weights.bin", fault: "damaged" },
      ]);
    });
  });

  it("is not served: the version before it answers, and health says so until it is restored", async () => {
    await withModels(async (models) => {
      const { first, second, fileOf } = models;
      flip(fileOf(second, "weights.bin"));
      await withServer(models, async ({ app, logged, pass }) => {
        const intact = await request(app).get("/v1/customers/user_id/u1/intent").expect(200);
        expect((intact.body as { modelVersion: string }).modelVersion).to.equal(first.id);
        await request(app).get("/v1/customers/user_id/u1/intent").expect(200);
        expect(logged()).to.have.lengthOf(1);
        const health = await request(app).get("/v1/health").expect(200);
        const message = `conversion-intent: weights.bin of version ${second.id} is damaged: restore it from a backup, or train again. Version ${first.id} answers until then`;
        expect((health.body as { problems: object[] }).problems).to.deep.equal([
          { code: "damaged-model", message },
        ]);
        flip(fileOf(second, "weights.bin"));
        pass(60_000);
        const restored = await request(app).get("/v1/customers/user_id/u1/intent").expect(200);
        expect((restored.body as { modelVersion: string }).modelVersion).to.equal(second.id);
        const after = await request(app).get("/v1/health").expect(200);
        expect((after.body as { problems: object[] }).problems).to.deep.equal([]);
      });
    });
  });

  it("is 503 where no version is whole, naming model, version and file and no folder", async () => {
    await withModels(async (models) => {
      const { folder, first, second, fileOf } = models;
      rmSync(fileOf(second, "model.json"));
      renameSync(fileOf(first, "weights.bin"), fileOf(first, "away"));
      await withServer(models, async ({ app, logged }) => {
        for (let time = 0; time < 2; time++) {
          const refused = await request(app).get("/v1/customers/user_id/u1/intent").expect(503);
          const { detail } = refused.body as { detail: string };
          expect(detail).to.match(/^conversion-intent: model\.json of version .* is missing/);
          expect(detail).to.include(second.id);
          expect(JSON.stringify(refused.body)).to.not.include(folder);
        }
        expect(logged()).to.have.lengthOf(1);
      });
    });
  });

  it("is passed over by batches, too", async () => {
    await withModels(({ store, folder, first, second, fileOf }) => {
      const accept = (): void => undefined;
      expect(loadServing(store, folder, MODEL, accept).artifact.id).to.equal(second.id);
      flip(fileOf(second, "weights.bin"));
      const { artifact, damage } = loadServing(store, folder, MODEL, accept);
      expect(artifact.id).to.equal(first.id);
      expect(damage?.fault).to.include({ version: second.id, file: "weights.bin" });
      const refuseFirst = (loaded: Artifact): void => {
        if (loaded.id === first.id) {
          throw new ServiceError("conflict", "other features");
        }
      };
      expect(() => loadServing(store, folder, MODEL, refuseFirst)).to.throw("is damaged");
      const thread = (): Artifact => loadArtifact(folder, MODEL, second.id, second.files);
      expect(thread).to.throw("is damaged");
    });
  });

  it("of an older store is seen from its first load on", async () => {
    await withModels(({ store, folder, second, fileOf }) => {
      store.sqlite.exec("DELETE FROM artifact_file");
      loadServing(store, folder, MODEL, () => undefined);
      const late = store.sqlite
        .prepare("SELECT name, is_late FROM artifact_file WHERE version_id = ? ORDER BY name")
        .raw()
        .all(second.id);
      expect(late).to.deep.equal([
        ["model.json", 1],
        ["weights.bin", 1],
      ]);
      flip(fileOf(second, "weights.bin"));
      expect(verifyArtifacts(store, folder)).to.have.lengthOf(1);
    });
  });

  it("is mended by the training that makes it again", async () => {
    await withModels(({ store, folder, second, fileOf }) => {
      flip(fileOf(second, "weights.bin"));
      const again = crownAgain(store, folder, second);
      expect(again.id).to.equal(second.id);
      expect(verifyArtifacts(store, folder)).to.deep.equal([]);
    });
  });

  it("whose numbers are none is not served either", async () => {
    await withModels(async (models) => {
      const { store, second, fileOf } = models;
      const file = fileOf(second, "weights.bin");
      const bytes = readFileSync(file);
      for (let at = 0; at + 4 <= bytes.length; at += 4) {
        bytes.writeFloatLE(Number.NaN, at);
      }
      writeFileSync(file, bytes);
      store.sqlite.exec("DELETE FROM artifact_file");
      await withServer(models, async ({ app }) => {
        const refused = await request(app).get("/v1/customers/user_id/u1/intent").expect(503);
        expect((refused.body as { detail: string }).detail).to.match(/gave no probability/);
      });
    });
  });
});

let trained: Artifact | undefined;

async function withModels(work: (models: Models) => Promise<void> | void): Promise<void> {
  await withStore(async (store, root) => {
    const folder = join(root, "models");
    trained ??= await smallIntentChampion(store, folder);
    const first = crownAgain(store, folder, trained);
    const second = crownAgain(store, folder, { ...first, asOf: JUNE });
    const fileOf: Models["fileOf"] = ({ id }, name) => join(folder, MODEL, id, name);
    await work({ store, folder, first, second, fileOf });
  });
}

function crownAgain(store: Store, folder: string, { fitted, asOf }: Artifact): Artifact {
  const { model } = fitted as { readonly model: IntentModel };
  const { network } = model.system as { readonly network: IntentNetwork };
  return crownIntent(store, folder, network, asOf, model);
}

/** Flips 41 bytes in the middle; flipped twice they are as before. */
function flip(file: string): void {
  const bytes = readFileSync(file);
  const middle = Math.floor(bytes.length / 2);
  bytes.subarray(middle, middle + 41).forEach((byte, index, part) => {
    part[index] = byte ^ 0xff;
  });
  writeFileSync(file, bytes);
}

interface Server {
  readonly app: ReturnType<typeof createApp>;
  /** The errors in the log. */
  readonly logged: () => readonly string[];
  readonly pass: (ms: number) => void;
}

async function withServer(
  { store, folder: modelsFolder }: Models,
  work: (server: Server) => Promise<void>,
): Promise<void> {
  let now = JUNE;
  const clock = { now: () => now };
  const lines: string[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => lines.push(line) });
  const problems = createProblems();
  const online = openOnlineStore(store);
  createWriteKey(store, clock, "shop");
  await createCollector(store, clock).collect({
    source: "shop",
    calls: [{ type: "track", messageId: "m", userId: "u1", event: "Product Viewed" }],
  });
  await resolveInbox(store, clock);
  const intent = openLiveIntent({ store, clock, logger, online, modelsFolder, problems });
  const quiet = pino({ level: "silent" });
  const app = createApp({ store, clock, logger: quiet, online, intent, problems });
  await work({ app, logged: () => lines, pass: (ms) => void (now += ms) });
}
