import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { startCommand, untilSaid } from "../support/command.ts";
import { linesByMessage, orderCall } from "../support/live.ts";
import { inFolder } from "../support/temporary.ts";

const FLOOD_MS = 60_000;
const SAMPLES = 60;
const CONNECTIONS = 60;
const BODIES = 20;
const CALLS_PER_BODY = 2_500;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Batches of 2.5 MB, each with messages of its own; sent again they are duplicates, and as much work to read. */
function bodiesOf(): Buffer[] {
  return Array.from({ length: BODIES }, (_, body) => {
    const context = { text: "x".repeat(600) };
    const batch = Array.from({ length: CALLS_PER_BODY }, (_unused, index) =>
      orderCall(`${body}-${index}`, { context }),
    );
    return Buffer.from(JSON.stringify({ batch }));
  });
}

function poster(url: string, key: string, agent: Agent): (body: Buffer) => Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  return (body) =>
    new Promise((resolve, reject) => {
      const headers = { authorization, "content-length": body.length };
      const sent = request(`${url}/v1/batch`, { method: "POST", agent, headers }, (response) => {
        response.resume().once("end", () => {
          const retryAfter = response.headers["retry-after"];
          resolve({ status: response.statusCode ?? 0, retryAfter });
        });
      });
      sent.once("error", reject).end(body);
    });
}

const residentMiB = (pid: number): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1_024;

/** Floods a server for a minute; the memory it held meanwhile, and how it answered, by status. */
async function flood(
  pid: number,
  post: (body: Buffer) => Promise<Answer>,
): Promise<{ readonly memory: number[]; readonly answers: Map<number, number> }> {
  const bodies = bodiesOf();
  const memory: number[] = [];
  const answers = new Map<number, number>();
  const started = performance.now();
  const isOver = (): boolean => performance.now() - started > FLOOD_MS;
  const connection = async (first: number): Promise<void> => {
    for (let next = first; !isOver(); next++) {
      const { status, retryAfter } = await post(bodies[next % BODIES] ?? Buffer.alloc(0));
      answers.set(status, (answers.get(status) ?? 0) + 1);
      expect(retryAfter).to.equal(status === 429 ? "1" : undefined);
      if (performance.now() - started > (memory.length * FLOOD_MS) / SAMPLES) {
        memory.push(residentMiB(pid));
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => connection(index)));
  return { memory, answers };
}

describe("a server under a flood", () => {
  it("says 429 in flat memory for a minute, loses nothing, and is there afterwards", async function () {
    this.timeout(180_000);
    await inFolder(async (folder) => {
      const store = await openStore(folder);
      const { key } = createWriteKey(store, systemClock, "webshop");
      const server = startCommand(folder, ["serve", "--port", "0"]);
      server.stderr?.resume();
      const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS + 1 });
      try {
        const said = await untilSaid(server, "serves at");
        const url = /http:\/\/[\d.:]+/.exec(said)?.[0] ?? "";
        const post = poster(url, key, agent);
        const { memory, answers } = await flood(server.pid ?? 0, post);
        const warm = memory.slice(memory.length >> 2);
        const half = warm.length >> 1;
        const ratio = Math.max(...warm.slice(half)) / Math.max(...warm.slice(0, half));
        const told = `${JSON.stringify([...answers])}, MiB ${memory.map(Math.round).join(" ")}`;
        expect([...answers.keys()].sort(), told).to.deep.equal([200, 429]);
        expect(ratio, told).to.be.below(1.2);
        expect(Math.max(...memory), told).to.be.below(900);
        const after = Buffer.from(JSON.stringify({ batch: [orderCall("after")] }));
        expect((await post(after)).status).to.equal(200);
        process.stderr.write(`      ${told}\n`);
      } finally {
        agent.destroy();
        server.kill("SIGINT");
        await once(server, "close");
      }
      const kept = await linesByMessage(store);
      expect(kept.get("after")).to.equal(2);
      expect([...kept.values()].every((lines) => lines === 2)).to.equal(true);
      store.close();
    });
  });
});
