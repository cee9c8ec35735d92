import { once } from "node:events";
import { connect } from "node:net";
import { ServiceError } from "./errors.ts";

const MASTER =
  /^(?:local(?:\[(?:\*|\d+)(?:,\d+)?\])?|yarn|k8s:\/\/\S+|spark:\/\/[^\s,]+:\d+(?:,[^\s,]+:\d+)*)$/;

/**
 * Throws `invalid-input` where this is no master of Spark, and `not-ready` where none of a standalone cluster's
 * takes a connection within the time; Spark itself would try for a minute.
 */
export async function checkMaster(master: string, timeoutMs = 5000): Promise<void> {
  if (!MASTER.test(master)) {
    throw new ServiceError(
      "invalid-input",
      `master: expected local[N], local[*], spark://host:port, yarn or k8s://..., got "${master}"`,
      { field: "master" },
    );
  }
  if (!master.startsWith("spark://")) {
    return;
  }
  const addresses = master.slice("spark://".length).split(",");
  const answers = await Promise.all(addresses.map((address) => isListening(address, timeoutMs)));
  if (!answers.includes(true)) {
    throw new ServiceError("not-ready", `no Spark master answers at ${master}`, {
      field: "master",
    });
  }
}

async function isListening(address: string, timeoutMs: number): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const socket = connect({ host, port: Number(address.slice(colon + 1)) });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
