import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const BIN = join(import.meta.dirname, "..", "..", "bin", "herkoop.js");

/** What a command said and how it ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `herkoop` with arguments, over a store. */
export function startCommand(store: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [BIN, "--store", store, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Waits for a started command and gathers what it says. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** Runs `herkoop` to its end. */
export async function herkoop(store: string, ...args: string[]): Promise<Outcome> {
  return outcomeOf(startCommand(store, args));
}

/** Waits until the child's standard output holds the text, and returns what it has said. */
export async function untilSaid(child: ChildProcess, text: string): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      said += part;
      if (said.includes(text)) {
        resolve(said);
      }
    });
    child.once("close", (code) => {
      reject(new Error(`ended with ${String(code)} before saying "${text}": ${said}`));
    });
  });
}
