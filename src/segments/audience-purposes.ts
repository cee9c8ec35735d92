import type { AudienceKind } from "./audience-store.ts";

/** What each kind of audience addresses its members for. */
export const PURPOSE_OF: Readonly<Record<AudienceKind, string>> = {
  repurchase: "personalisation",
  retargeting: "advertising",
};

/** The name of the retargeting pool. */
export const RETARGETING_POOL = "retargeting-pool";

const REPURCHASE = "repurchase-";

/** The name of the repurchase audience of an ISO week such as `2011-W50`. */
export function repurchaseAudienceName(week: string): string {
  return `${REPURCHASE}${week}`;
}

/** What members of an audience of this name agreed to; every purpose of audiences where no audience is called so. */
export function purposesOfName(name: string): readonly string[] {
  if (name === RETARGETING_POOL) {
    return [PURPOSE_OF.retargeting];
  }
  return name.startsWith(REPURCHASE) ? [PURPOSE_OF.repurchase] : Object.values(PURPOSE_OF);
}
