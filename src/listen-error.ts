import { type ErrorCode, ServiceError } from "./base/index.ts";

type Refusal = readonly [code: ErrorCode, field: "host" | "port", meaning: string];

const HOST =
  "(--host or HERKOOP_HOST): expected an address of this machine, such as 127.0.0.1 or 0.0.0.0";

const REFUSALS: Readonly<Record<string, Refusal>> = {
  EADDRINUSE: ["conflict", "port", "is taken; choose another with --port"],
  EACCES: [
    "invalid-input",
    "port",
    "(--port or HERKOOP_PORT): this user may not listen there; choose a port from 1024 on",
  ],
  EADDRNOTAVAIL: ["invalid-input", "host", `${HOST}, and this machine does not have it`],
  EAFNOSUPPORT: ["invalid-input", "host", `${HOST}, and this machine has no such network`],
  EINVAL: ["invalid-input", "host", HOST],
  ENOTFOUND: ["invalid-input", "host", `${HOST}, and no address has this name`],
  EAI_AGAIN: ["not-ready", "host", `${HOST}, and the name server did not answer`],
};

/** Why a server cannot listen, naming the setting; undefined where that is a fault of ours. */
export function listenError(
  { code = "" }: NodeJS.ErrnoException,
  host: string,
  port: number,
): ServiceError | undefined {
  const refusal = REFUSALS[code];
  if (refusal === undefined) {
    return undefined;
  }
  const [errorCode, field, meaning] = refusal;
  const subject = field === "port" ? `port ${port} on ${host}` : `host ${host}`;
  return new ServiceError(errorCode, `${subject} ${meaning}`, { field });
}
