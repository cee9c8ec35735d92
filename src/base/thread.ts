import { Worker } from "node:worker_threads";

const START = new URL("../../bin/thread.js", import.meta.url);

/** Runs a module of this program in a thread of its own; the module finds `data` in its `workerData`. */
export function startThread(module: URL, data: Readonly<Record<string, unknown>>): Worker {
  return new Worker(START, { workerData: { ...data, module: module.href } });
}
