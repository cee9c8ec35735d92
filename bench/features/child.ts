import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

/** What a child's last line of output says, as JSON; throws where it fails. */
export function runChild(program: string, args: readonly string[]): unknown {
  const said = execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(said.trim().split("\n").at(-1) ?? "");
}

/** The file of a script in this folder. */
export function scriptFile(name: string): string {
  return join(import.meta.dirname, name);
}

/** Runs a script of this folder in a process of its own. */
export function runScript(name: string, args: readonly string[]): unknown {
  return runChild(process.execPath, ["--import", "tsx", scriptFile(name), ...args]);
}

/** Makes a shop's events in a folder, in a process of its own; see generate.ts for the forms. */
export function generate(
  folder: string,
  events: number,
  seed: number,
  forms: readonly string[],
): void {
  const script = scriptFile("generate.ts");
  const args = ["--import", "tsx", script, folder, String(events), String(seed), ...forms];
  execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** The interpreter of a Python environment of the project, made on first use; undefined where it can't be. */
export function pythonOf(environment: "bench" | "feast"): string | undefined {
  const made = spawnSync("bash", [join(ROOT, "scripts", "python-environment.sh"), environment], {
    stdio: "inherit",
  });
  const folder = environment === "feast" ? join(ROOT, ".venv", "feast") : join(ROOT, ".venv");
  const python = join(folder, "bin", "python");
  return made.status === 0 && existsSync(python) ? python : undefined;
}

/** The version of a Python module; undefined where it can't be loaded. */
export function moduleVersion(python: string, name: string): string | undefined {
  const answer = spawnSync(python, ["-c", `import ${name}; print(${name}.__version__)`], {
    encoding: "utf8",
  });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}

/** The file of a peer's script. */
export function peerFile(name: string): string {
  return join(ROOT, "bench", "peers", name);
}
