import { type Clock, ServiceError, type Store } from "../../base/index.ts";
import { recordByOperator } from "../../collection/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { findPerson } from "./person-store.ts";

/**
 * Records what is right of a person, as an `identify` call of the source `operator`: the latest word on
 * a trait counts, and what was said before stays history. Throws `not-found` where nobody has the
 * identifier, `invalid-input` for a person without a user id or an anonymous id.
 */
export async function rectifyPerson(
  store: Store,
  clock: Clock,
  identifier: Identifier,
  traits: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { identifiers } = findPerson(store, identifier);
  const valueOf = (type: string): string | undefined =>
    identifiers.find((one) => one.type === type)?.value;
  const userId = valueOf("user_id");
  const anonymousId = userId === undefined ? valueOf("anonymous_id") : undefined;
  if (userId === undefined && anonymousId === undefined) {
    throw new ServiceError(
      "invalid-input",
      "this person has no user_id and no anonymous_id, under which events are kept",
      { field: "type" },
    );
  }
  await recordByOperator(store, clock, { type: "identify", userId, anonymousId, traits });
}
