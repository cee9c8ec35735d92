import { expect } from "chai";
import { findCustomerId, knownCustomerNumbers, openOwners } from "../../src/customers/index.ts";
import { importLines, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const AT = "2024-03-02T10:00:00Z";

describe("known customers", () => {
  it("are those of whom more than an anonymous id is known", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        { visitor: "v1", event: "view", at: AT },
        { visitor: "v2", user: "u2", event: "view", at: AT },
        { user: "u3", at: AT },
      ]);
      const numberOf = (type: string, value: string): number =>
        findCustomerId(store, { type, value });
      expect([...knownCustomerNumbers(store)]).to.have.members([
        numberOf("user_id", "u2"),
        numberOf("user_id", "u3"),
      ]);
      expect(knownCustomerNumbers(store).has(numberOf("anonymous_id", "v2"))).to.equal(true);
      expect(knownCustomerNumbers(store).has(numberOf("anonymous_id", "v1"))).to.equal(false);
    });
  });
});

describe("owners", () => {
  it("are found by an identifier's number, and agreed only where they said so", async () => {
    await withStore(async (store, folder) => {
      const consent = { basis: "ticked at checkout", purposes: ["advertising"] };
      await importLines(store, folder, [{ user: "u1", at: AT }], shopMapping({ consent }));
      const customerId = findCustomerId(store, { type: "user_id", value: "u1" });
      const identifierId = store.sqlite
        .prepare<[], number>("SELECT id FROM identifier WHERE value = 'u1'")
        .pluck()
        .get();
      const owners = openOwners(store);
      expect(owners.ownerOf(identifierId ?? -1)).to.equal(customerId);
      expect(owners.ownerOf(-1)).to.equal(undefined);
      expect(owners.mayBeAddressed(customerId, "advertising")).to.equal(true);
      expect(owners.mayBeAddressed(customerId, "personalisation")).to.equal(false);
    });
  });
});
