import { ServiceError } from "../base/index.ts";
import type { RowEntity } from "./feature-service.ts";
import type { Spine } from "./rows-sql.ts";

const NUMBERED = /^(min-purchases|active-within)=([1-9]\d{0,8})$/;

/**
 * Whom rows are of, from text: `everybody`, `min-purchases=2` (pairs bought on so many days) or
 * `active-within=30` (customers with an order or browsing in so many days). Throws `invalid-input`.
 */
export function parseSpine(entity: RowEntity, text: string): Spine {
  const [, which = "", digits = ""] = NUMBERED.exec(text) ?? [];
  const number = Number(digits);
  if (text === "everybody") {
    return entity === "pair" ? { entity, minimumPurchases: 1 } : { entity };
  }
  if (which === "min-purchases" && entity === "pair") {
    return { entity, minimumPurchases: number };
  }
  if (which === "active-within" && entity === "customer") {
    return { entity, activeWithinDays: number };
  }
  const more = { pair: " or min-purchases=2", customer: " or active-within=30 (days)" };
  throw new ServiceError(
    "invalid-input",
    `spine: expected everybody${entity in more ? more[entity as keyof typeof more] : ""} for rows of a ${entity}, got "${text}"`,
    { field: "spine" },
  );
}

/** A spine as `parseSpine` reads it. */
export function spineText(spine: Spine): string {
  if (spine.entity === "pair") {
    return spine.minimumPurchases === 1 ? "everybody" : `min-purchases=${spine.minimumPurchases}`;
  }
  return "activeWithinDays" in spine ? `active-within=${spine.activeWithinDays}` : "everybody";
}
