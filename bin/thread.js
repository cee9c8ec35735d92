// Runs a TypeScript module in a worker thread, which has to learn TypeScript for itself.
import { workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
await import(workerData.module);
