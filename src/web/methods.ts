import type { RequestHandler } from "express";
import { ServiceError } from "../base/index.ts";
import type { Endpoint } from "./endpoint.ts";

/** Answers OPTIONS, and refuses methods that an address does not take; both name those it takes. */
export function refuseOtherMethods(endpoints: readonly Endpoint[]): RequestHandler {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of endpoints) {
    const known = methods.get(path) ?? new Set(["OPTIONS"]);
    methods.set(path, known.add(method.toUpperCase()));
    if (method === "get") {
      known.add("HEAD");
    }
  }
  const addresses = [...methods].map(([path, known]) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}/?$`, "i"),
    allow: [...known].sort().join(", "),
  }));
  return (request, response, next) => {
    const found = addresses.find(({ pattern }) => pattern.test(request.path));
    if (found === undefined) {
      next();
      return;
    }
    response.locals["route"] = found.path;
    response.set("Allow", found.allow);
    if (request.method === "OPTIONS") {
      response.status(204).end();
      return;
    }
    throw new ServiceError("method-not-allowed", `this address takes ${found.allow}`);
  };
}
