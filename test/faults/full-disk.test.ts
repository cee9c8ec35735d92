import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey, historyFiles } from "../../src/collection/index.ts";
import { ordersFile } from "../support/fault-shop.ts";
import {
  isClearLine,
  killAll,
  runHerkoop,
  startChild,
  untilServing,
} from "../support/processes.ts";
import { createSender, expectAllOnce, type Sender } from "../support/senders.ts";
import { shopMappingText } from "../support/shop.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";

const DISK_MIB = 96;
const SEALS_PER_MINUTE = 60;
const TRIES_MAX = 2000;

/** Sends until the status is one of these, and returns it. */
async function sendUntil(
  sender: Sender,
  url: string,
  isAwaited: (status: number) => boolean,
  pauseMs = 0,
): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const status = await sender.send(url);
    if (isAwaited(status)) {
      return status;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  throw new Error(`never answered as awaited: ${JSON.stringify([...sender.statuses])}`);
}

/** The last lines of a log, shortened. */
function logEnd(text: string): string {
  const lines = text.trim().split("\n").slice(-6);
  return lines.map((line) => `${line.slice(0, 200)} ... ${line.slice(-60)}`).join("\n");
}

/** What lies in the history and is not in the manifest, or the other way round. */
async function halfVisible(folder: string): Promise<string[]> {
  const store = await openStore(folder);
  const visible = new Set(historyFiles(store));
  const there = new Set(readdirSync(store.path("history")));
  store.close();
  return [
    ...[...visible].filter((name) => !there.has(name)),
    ...[...there].filter((name) => !visible.has(name) && !name.endsWith(".partial")),
  ];
}

describe("a disk that is full", function () {
  this.timeout(180_000);
  let mounted: SmallDisk | undefined;
  let folder: string;
  let key: string;
  const mountedDisk = (): SmallDisk => {
    if (mounted === undefined) {
      throw new Error("no disk");
    }
    return mounted;
  };

  beforeEach(async function () {
    const disk = mountSmallDisk(DISK_MIB);
    if (typeof disk === "string") {
      process.stderr.write(`      skipped: ${disk}\n`);
      this.skip();
    }
    mounted = disk;
    folder = join(disk.folder, "store");
    const store = await openStore(folder);
    ({ key } = createWriteKey(store, systemClock, "webshop"));
    store.close();
  });

  afterEach(async () => {
    await killAll();
    if (mounted !== undefined) {
      rmSync(`${mounted.folder}-outside`, { recursive: true, force: true });
      mounted.remove();
    }
  });

  it("makes senders send again, loses nothing that was acknowledged, and goes on by itself once there is room", async () => {
    const disk = mountedDisk();
    const server = await untilServing(startChild("serve", [folder, String(SEALS_PER_MINUTE)]));
    const { url } = server;
    const sender = createSender(key, "m");
    for (let batch = 0; batch < 40; batch++) {
      expect(await sender.send(url)).to.equal(200);
    }
    disk.fill();
    const refusal = await sendUntil(sender, url, (status) => status !== 200);
    expect(refusal, server.complained()).to.be.within(500, 599);
    for (let batch = 0; batch < 40; batch++) {
      const status = await sender.send(url);
      expect(status === 200 || (status >= 500 && status < 600), String(status)).to.equal(true);
    }
    const { status: health } = await fetch(`${url}/v1/health`);
    expect(health, "reads go on").to.equal(200);
    // A seal comes meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    disk.free();
    await sendUntil(sender, url, (status) => status === 200, 20);
    for (let batch = 0; batch < 40; batch++) {
      expect(await sender.send(url)).to.equal(200);
    }
    server.child.kill("SIGTERM");
    expect(await server.end(), server.complained()).to.equal(0);
    expect(await halfVisible(folder)).to.deep.equal([]);
    const store = await openStore(folder);
    const waiting = store.sqlite.prepare("SELECT count(*) FROM inbox").pluck().get();
    store.close();
    expect(
      waiting,
      `lines that are not sealed; the log ends: ${logEnd(server.complained())}`,
    ).to.equal(0);
    await expectAllOnce(folder, sender.acknowledged);
    expect(server.complained(), "the log").to.match(/full|space/);
  });

  it("stops an import with one clear line and nothing half visible, and the next one succeeds", async () => {
    const disk = mountedDisk();
    const outside = `${disk.folder}-outside`;
    const file = ordersFile(join(outside, "store"), "full");
    const mapping = join(outside, "mapping.json");
    writeFileSync(mapping, JSON.stringify(shopMappingText()));
    const importing = ["import", file, "--mapping", mapping];
    disk.fill(200);
    const failed = await runHerkoop(folder, importing);
    expect(failed.code, failed.stderr).to.not.be.oneOf([0, null]);
    disk.free();
    expect(isClearLine(failed.stderr), failed.stderr).to.equal(true);
    expect(failed.stderr).to.match(/space|full/i);
    expect(await halfVisible(folder)).to.deep.equal([]);
    const again = await runHerkoop(folder, importing);
    expect(again.code, again.stderr).to.equal(0);
    expect(await halfVisible(folder)).to.deep.equal([]);
  });

  it("stops a backup with one clear line, nothing that could be restored, and the next one succeeds", async () => {
    const server = await untilServing(startChild("serve", [folder, String(SEALS_PER_MINUTE)]));
    const disk = mountedDisk();
    const sender = createSender(key, "b");
    for (let batch = 0; batch < 40; batch++) {
      expect(await sender.send(server.url)).to.equal(200);
    }
    server.child.kill("SIGTERM");
    expect(await server.end(), server.complained()).to.equal(0);
    disk.fill(256);
    const backup = join(disk.folder, "backup");
    const failed = await runHerkoop(folder, ["backup", backup]);
    expect(failed.code, failed.stderr).to.not.be.oneOf([0, null]);
    disk.free();
    expect(isClearLine(failed.stderr), failed.stderr).to.equal(true);
    expect(failed.stderr).to.match(/space|full/i);
    const restored = join(disk.folder, "restored");
    const refused = await runHerkoop(restored, ["restore", backup, "--without-tombstones"]);
    expect(refused.code).to.not.equal(0);
    expect(isClearLine(refused.stderr), refused.stderr).to.equal(true);
    expect(existsSync(join(restored, "herkoop.sqlite"))).to.equal(false);
    const second = await runHerkoop(folder, ["backup", join(disk.folder, "second")]);
    expect(second.code, second.stderr).to.equal(0);
    const whole = await runHerkoop(restored, [
      ...["restore", join(disk.folder, "second")],
      "--without-tombstones",
    ]);
    expect(whole.code, whole.stderr).to.equal(0);
    await expectAllOnce(restored, sender.acknowledged);
  });
});
