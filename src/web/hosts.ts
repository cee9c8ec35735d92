import { isIPv4 } from "node:net";
import type { RequestHandler } from "express";
import { ServiceError } from "../base/index.ts";

/** Whether a name or an address (IPv6 with or without brackets) is always this machine itself. */
export function isLoopback(host: string): boolean {
  return ["localhost", "::1", "[::1]"].includes(host) || (isIPv4(host) && host.startsWith("127."));
}

/** The host of an authority such as `shop.example:8080`, in lower case. */
function hostOf(authority: string): string {
  return authority.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

function isOurs(host: string, allowed: ReadonlySet<string>): boolean {
  return isLoopback(host) || allowed.has(host) || allowed.has(host.replace(/^\[(.*)\]$/, "$1"));
}

/**
 * Refuses requests for a host that is neither this machine nor an allowed one. The name of somebody's web page may
 * lead here (DNS rebinding): then the browser takes what is here for that page's own. A request without a
 * Host (HTTP/1.0) comes from no browser, and passes.
 */
export function refuseForeignHosts(allowed: ReadonlySet<string>): RequestHandler {
  return ({ headers: { host } }, _response, next) => {
    if (host !== undefined && !isOurs(hostOf(host), allowed)) {
      throw new ServiceError(
        "misdirected",
        "this server does not answer for that host; allow it with --allowed-host or HERKOOP_ALLOWED_HOSTS",
      );
    }
    next();
  };
}

/** Refuses what a web page of another host asks for, except at the addresses that take events from any page. */
export function refuseForeignPages(
  allowed: ReadonlySet<string>,
  openPaths: readonly string[],
): RequestHandler {
  const open = new Set(openPaths);
  return ({ headers: { origin }, path }, _response, next) => {
    if (
      origin !== undefined &&
      !open.has(path.toLowerCase().replace(/\/$/, "")) &&
      !isOurs(hostOfOrigin(origin), allowed)
    ) {
      throw new ServiceError("forbidden", "a web page of another host may send events, not read");
    }
    next();
  };
}

function hostOfOrigin(origin: string): string {
  return URL.canParse(origin) ? hostOf(new URL(origin).host) : "";
}
