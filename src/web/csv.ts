import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { stringify } from "csv-stringify";
import type { Request, Response } from "express";

/** A table to send as it is read. */
export interface CsvDocument {
  readonly fileName: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly records: Iterable<readonly (string | number | null)[]>;
}

/** Sends a table at the pace of its reader, and reads no further once the client went away. */
export async function sendCsv(
  request: Request,
  response: Response,
  document: CsvDocument,
): Promise<void> {
  response.attachment(document.fileName).set(document.headers);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const csv = stringify({ header: true, columns: [...document.columns], escape_formulas: true });
  try {
    await pipeline(Readable.from(document.records), csv, response);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") {
      throw error;
    }
  }
}
