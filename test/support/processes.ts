import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Outcome } from "./command.ts";
import { compiledProgram } from "./compiled.ts";

/** As the program's first line has it. */
const NODE_OPTIONS = ["--max-semi-space-size=32"];

/** A process that a test started, with what it said so far. */
export interface Talking {
  readonly child: ChildProcess;
  said(): string;
  complained(): string;
  /** Waits until its standard output holds the text. Throws where it ends before, or after `ms`. */
  until(text: string, ms?: number): Promise<void>;
  /** Its exit code, or null where a signal ended it; kills it after `ms`, and throws. */
  end(ms?: number): Promise<number | null>;
  /** Kills it, with all that it started, and waits until it is gone. */
  kill(): Promise<void>;
}

const running = new Set<Talking>();
const WAIT_MS = 60_000;

/** Ends what tests started and did not end. Call it after each test. */
export async function killAll(): Promise<void> {
  await Promise.all([...running].map((one) => one.kill()));
}

/** Starts a program as the head of a process group of its own. */
function startProcess(command: string, args: readonly string[]): Talking {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  let said = "";
  let complained = "";
  child.stdin.on("error", () => undefined);
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complained += text));
  let isOver = false;
  const closed = once(child, "close").then(([code]) => {
    isOver = true;
    running.delete(talking);
    return code as number | null;
  });
  const kill = async (): Promise<void> => {
    if (!isOver && child.pid !== undefined) {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It went by itself meanwhile.
      }
    }
    await closed;
  };
  const told = (): string => `\n${said}\n${complained}`;
  const talking: Talking = {
    child,
    said: () => said,
    complained: () => complained,
    until: (text, ms = WAIT_MS) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`did not say "${text}" in ${ms} ms:${told()}`));
        }, ms);
        const look = (): void => {
          if (said.includes(text)) {
            clearTimeout(timer);
            resolve();
          }
        };
        child.stdout.on("data", look);
        void closed.then((code) => {
          clearTimeout(timer);
          reject(new Error(`ended with ${String(code)} before saying "${text}":${told()}`));
        });
        look();
      }),
    end: async (ms = WAIT_MS) => {
      const state = { isLate: false };
      const timer = setTimeout(() => {
        state.isLate = true;
        void kill();
      }, ms);
      const code = await closed;
      clearTimeout(timer);
      if (state.isLate) {
        throw new Error(`did not end in ${ms} ms:${told()}`);
      }
      return code;
    },
    kill,
  };
  running.add(talking);
  return talking;
}

/** Starts `herkoop` over a store; `preload` is the name of a module of test/support to import first. */
export function startHerkoop(store: string, args: readonly string[], preload?: string): Talking {
  const program = compiledProgram();
  const imports =
    preload === undefined ? [] : ["--import", join(program, "test", "support", `${preload}.js`)];
  const cli = join(program, "src", "cli.js");
  return startProcess(process.execPath, [
    ...NODE_OPTIONS,
    ...imports,
    cli,
    ...["--store", store],
    ...args,
  ]);
}

/** Runs `herkoop` to its end, which has to come within `ms`. */
export async function runHerkoop(
  store: string,
  args: readonly string[],
  ms?: number,
): Promise<Outcome> {
  const command = startHerkoop(store, args);
  const code = await command.end(ms);
  return { code, stdout: command.said(), stderr: command.complained() };
}

/** Starts the child that works until it is killed, in a mode of test/support/fault-child.ts. */
export function startChild(
  mode: string,
  args: readonly string[],
  within: readonly string[] = [],
): Talking {
  const child = join(compiledProgram(), "test", "support", "fault-child.js");
  const program = [process.execPath, ...NODE_OPTIONS, child, mode, ...args];
  const [command = "", ...rest] = [...within, ...program];
  return startProcess(command, rest);
}

/** A server that says where it serves. */
export type Serving = Talking & { readonly url: string };

/** Waits until a started process says that it serves. */
export async function untilServing(started: Talking, ms?: number): Promise<Serving> {
  await started.until("serves at http://", ms);
  await started.until("\n", ms);
  const url = /http:\/\/[\d.:]+/.exec(started.said())?.[0] ?? "";
  return { ...started, url };
}

/** Starts `herkoop serve` on a free port. */
export async function serveStore(store: string, preload?: string): Promise<Serving> {
  return untilServing(startHerkoop(store, ["serve", "--port", "0"], preload));
}

/** One clear line for a person: no stack, and no text of the engine's own. */
export function isClearLine(text: string): boolean {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.some((line) => line.startsWith("herkoop: ")) && !/^ {4}at |\bat file:/m.test(text);
}
