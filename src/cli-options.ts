import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { messageOf, ServiceError, systemError } from "./base/index.ts";
import { namingDamage } from "./collection/index.ts";
import { readConfig } from "./config.ts";
import { isWindow, windowMs } from "./features/index.ts";
import { cleanAudienceFiles } from "./segments/index.ts";
import { openService, type Service } from "./service.ts";

/** A whole number of at least `minimum`, and at most `maximum` where given, for commander. */
export function wholeNumber(
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  const range =
    maximum === Number.MAX_SAFE_INTEGER
      ? `of at least ${minimum}`
      : `from ${minimum} to ${maximum}`;
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`expected a whole number ${range}, got "${text}"`);
    }
    return value;
  };
}

/** Text that is not empty, for commander; `what` says what is expected. */
export function someText(what: string): (text: string) => string {
  return (text) => {
    if (text.trim() === "") {
      throw new InvalidArgumentError(`expected ${what}, got nothing`);
    }
    return text;
  };
}

/** Ascending spans of minutes, hours or days, as 30m,1d,14d, in ms; for commander. */
export function spans(text: string): readonly number[] {
  const lengths = text.split(",").map((part) => {
    const span = part.trim();
    return isWindow(span) ? windowMs(span) : 0;
  });
  if (lengths.some((length, index) => length <= (lengths[index - 1] ?? 0))) {
    throw new InvalidArgumentError(
      `expected ascending spans of minutes, hours or days such as 1h,1d,7d, got "${text}"`,
    );
  }
  return lengths;
}

/** A number in [low, high], for commander. */
export function numberWithin(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!(value >= low && value <= high)) {
      throw new InvalidArgumentError(`expected a number from ${low} to ${high}, got "${text}"`);
    }
    return value;
  };
}

/**
 * Opens the service for a command, hands it over, and closes it whatever happens. Before it ends, whoever left an
 * audience by it leaves the files inside the store, too.
 */
export async function withService<T>(
  command: Command,
  options: { readonly json?: boolean },
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const { store } = command.optsWithGlobals<{ store?: string }>();
  if (store === "") {
    throw new ServiceError("invalid-input", "--store: expected a folder, got nothing", {
      field: "store",
    });
  }
  const config = readConfig(store === undefined ? {} : { store });
  try {
    const service = await openService(config, { quiet: options.json === true });
    try {
      const result = await namingDamage(service.store, () => work(service));
      await cleanAudienceFiles(service.store);
      return result;
    } finally {
      service.close();
    }
  } catch (error) {
    const subject = `the store ${config.storeFolder} (--store or HERKOOP_STORE)`;
    throw systemError(inStore(error, config.storeFolder, subject), subject) ?? error;
  }
}

/** The error, about the store where its path is in it or leads to it. */
function inStore(error: unknown, folder: string, subject: string): unknown {
  const { path } = error as { readonly path?: unknown };
  const isInside = typeof path === "string" && (folder.startsWith(path) || path.startsWith(folder));
  return isInside && error instanceof Error
    ? Object.assign(error, { path: path === folder ? subject : `${subject}: ${path}` })
    : error;
}

/** Prints an answer: as JSON where asked, else as text. */
export function answer(
  options: { readonly json?: boolean },
  value: unknown,
  text: () => string,
): void {
  process.stdout.write(`${options.json === true ? JSON.stringify(value, null, 2) : text()}\n`);
}

/** The content of a JSON file that an option or argument names. Throws `invalid-input` naming `field`. */
export function readJson(file: string, what: string, field: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ServiceError("invalid-input", `${what}: cannot read ${file}: ${messageOf(error)}`, {
      field,
      cause: error,
    });
  }
}
