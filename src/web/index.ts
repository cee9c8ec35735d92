/** Web: how people and programs reach it. Every answer says how fresh it is and which model gave it. */
export { createApp } from "./app.ts";
export type { AppContext } from "./endpoint.ts";
export { isLoopback } from "./hosts.ts";
export { createHttpServer } from "./http-server.ts";
