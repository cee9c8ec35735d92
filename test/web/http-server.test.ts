import { IncomingMessage, ServerResponse } from "node:http";
import { expect } from "chai";
import express from "express";
import request from "supertest";
import { createHttpServer } from "../../src/web/index.ts";

describe("web/http-server", () => {
  it("makes requests and responses as the app has them, so that Express leaves their prototypes alone", async () => {
    const app = express();
    const server = createHttpServer(app);
    const arrived: (object | null)[] = [];
    const [handler] = server.listeners("request") as [(...args: unknown[]) => unknown];
    server.removeAllListeners("request");
    server.on("request", (incoming: object, outgoing: object) => {
      arrived.push(
        Object.getPrototypeOf(incoming) as object,
        Object.getPrototypeOf(outgoing) as object,
      );
      handler(incoming, outgoing);
    });
    app.get("/", (incoming, outgoing) => {
      outgoing.json({ host: incoming.hostname, isKnown: incoming instanceof IncomingMessage });
    });

    const answer = await request(server).get("/").set("host", "shop.example");

    expect(answer.body).to.deep.equal({ host: "shop.example", isKnown: true });
    expect(arrived).to.deep.equal([app.request, app.response]);
    expect(app.response).to.be.instanceOf(ServerResponse);
  });
});
