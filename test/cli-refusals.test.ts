import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError, systemError } from "../src/base/index.ts";
import { readConfig } from "../src/config.ts";
import { listenError } from "../src/listen-error.ts";
import { herkoop } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

describe("the command line refuses in one line", function () {
  this.timeout(180_000);

  it("commands that there are none of, with the nearest name", async () => {
    await inFolder(async (store) => {
      const cases: readonly (readonly [readonly string[], string, string])[] = [
        [["statsu", "--help"], "statsu", "status"],
        [["help", "statsu"], "statsu", "status"],
        [["keys", "craete", "--help"], "craete", "create"],
        [["keys", "help", "craete"], "craete", "create"],
        [["customers", "nonsense"], "nonsense", ""],
      ];
      for (const [args, given, near] of cases) {
        const { code, stdout, stderr } = await herkoop(store, ...args);
        expect(code, args.join(" ")).to.equal(2);
        expect(stdout).to.equal("");
        expect(stderr).to.include(`error: unknown command '${given}' (nearest: ${near}`);
      }
      const known = await herkoop(store, "help", "keys");
      expect(known.code).to.equal(0);
      expect(known.stdout).to.include("herkoop keys");
      const option = await herkoop(store, "serve", "--prot", "1");
      expect(option.code).to.equal(2);
      expect(option.stderr).to.include("Did you mean --port?");
    });
  });

  it("stores, ports and hosts that cannot be used, naming the setting", async () => {
    await inFolder(async (folder) => {
      const file = join(folder, "file");
      writeFileSync(file, "x");
      const damaged = join(folder, "damaged");
      mkdirSync(damaged);
      writeFileSync(join(damaged, "herkoop.sqlite"), "this is no database ".repeat(100));
      const fine = join(folder, "fine");
      const cases: readonly (readonly [string, readonly string[], number, RegExp])[] = [
        [file, ["status"], 2, /store .*--store.*expected a folder, and it is a file/],
        [join(file, "in"), ["status"], 2, /--store.*a part of the path is a file/],
        [damaged, ["status"], 6, /--store.*herkoop\.sqlite is no database/],
        [fine, ["serve", "--port", "99999"], 2, /whole number from 0 to 65535, got "99999"/],
        [fine, ["serve", "--host", ""], 2, /expected an address of this machine, got nothing/],
        [fine, ["serve", "--host", "no.such.invalid"], 2, /host no\.such\.invalid .*--host/],
        [fine, ["serve", "--host", "192.0.2.1"], 2, /host 192\.0\.2\.1 .*does not have it/],
      ];
      for (const [store, args, code, message] of cases) {
        const outcome = await herkoop(store, ...args);
        expect(outcome.stderr, args.join(" ")).to.match(message);
        expect(outcome.stderr, args.join(" ")).to.not.match(/\n\s+at /);
        // A machine without a name server cannot say that there is no such name.
        expect(outcome.code, args.join(" ")).to.be.oneOf(
          args.includes("no.such.invalid") ? [2, 3] : [code],
        );
      }
    });
  });

  it("what the system refuses, and lets a fault of ours keep its stack", () => {
    const thrown = (code: string, path?: string): Error =>
      Object.assign(new Error("x"), { code, ...(path === undefined ? {} : { path }) });
    for (const [code, expected] of [
      ["EROFS", "invalid-input"],
      ["EACCES", "invalid-input"],
      ["SQLITE_READONLY_DBMOVED", "invalid-input"],
      ["SQLITE_CANTOPEN", "invalid-input"],
      ["ENOSPC", "not-ready"],
      ["SQLITE_FULL", "not-ready"],
      ["SQLITE_CORRUPT_INDEX", "damaged"],
      ["SQLITE_BUSY_SNAPSHOT", "overloaded"],
    ] as const) {
      const error = systemError(thrown(code), "the store");
      expect(error?.code, code).to.equal(expected);
      expect(error?.message).to.match(/^the store: [^\n]+$/);
    }
    expect(systemError(thrown("EACCES", "/out.csv"), "x")?.message).to.match(/^\/out\.csv: /);
    expect(systemError(thrown("SQLITE_CONSTRAINT_UNIQUE"), "x")).to.equal(undefined);
    expect(systemError(new TypeError("x"), "x")).to.equal(undefined);
    expect(systemError(new ServiceError("conflict", "x"), "x")).to.equal(undefined);
    expect(listenError(thrown("EACCES"), "127.0.0.1", 80)).to.include({
      code: "invalid-input",
      field: "port",
    });
    expect(listenError(thrown("EPIPE"), "127.0.0.1", 80)).to.equal(undefined);
  });

  it("variables that are no numbers, and takes empty ones as unset", () => {
    const names = ["HERKOOP_PORT", "HERKOOP_HOST", "HERKOOP_STORE", "HERKOOP_LOG_LEVEL"];
    const empty = Object.fromEntries(names.map((name) => [name, ""]));
    expect(readConfig({}, empty)).to.include({ port: 8080, host: "127.0.0.1", logLevel: "warn" });
    for (const value of ["99999", "1e3", "-1", "http"]) {
      expect(() => readConfig({}, { HERKOOP_PORT: value })).to.throw(
        `HERKOOP_PORT: expected a port from 0 to 65535, got "${value}"`,
      );
    }
  });
});
