import { expect } from "chai";
import { personOf } from "../../../src/customers/duplicates/person.ts";

describe("a person of traits", () => {
  it("has its fields in either spelling", () => {
    expect(
      personOf({
        firstName: " Eva ",
        last_name: "Jansen",
        birthday: "1980-01-02",
        address: { street: "Main 1", postalCode: 1012, city: "Amsterdam", country: "NL" },
        email: "eva@x.nl",
        phone: "",
        name: "Somebody Else",
      }),
    ).to.deep.equal({
      given_name: "Eva",
      family_name: "Jansen",
      birth_date: "1980-01-02",
      street: "Main 1",
      postcode: "1012",
      city: "Amsterdam",
      email: "eva@x.nl",
    });
  });

  it("has a whole name in parts, and nothing of what is no text", () => {
    expect(personOf({ name: "Eva de Vries" })).to.deep.equal({
      given_name: "Eva",
      family_name: "de Vries",
    });
    expect(personOf({ name: "Vries, Eva" })).to.deep.equal({
      given_name: "Eva",
      family_name: "Vries",
    });
    expect(
      personOf({ name: "Cher", address: "Main 1", email: { at: "x" }, phone: null }),
    ).to.deep.equal({ family_name: "Cher" });
  });
});
