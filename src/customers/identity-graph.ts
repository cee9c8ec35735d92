import { compareIdentifierTypes } from "../collection/index.ts";
import {
  capOf,
  compareIdentifiers,
  type Identifier,
  type IdentityRules,
} from "./identity-rules.ts";

/** An identifier of the graph. `id` is given in order of first arrival. */
export interface GraphIdentifier extends Identifier {
  readonly id: number;
  readonly firstSeenAt: number;
}

/** An identifier as it is stored. `customerId` is null while it is new or shared. */
export interface StoredIdentifier extends GraphIdentifier {
  readonly customerId: number | null;
  readonly status: "active" | "shared";
  readonly linkedAt: number;
}

/** The columns of the table `identifier` as a StoredIdentifier has them. */
export const STORED_COLUMNS =
  "id, type, value, customer_id AS customerId, status, first_seen_at AS firstSeenAt, linked_at AS linkedAt";

/** Two identifiers that stood in one event, or that an operator joined. Instants in epoch ms. */
export interface GraphLink {
  readonly lowId: number;
  readonly highId: number;
  readonly isOperators: boolean;
  readonly occurredAt: number;
  readonly knownAt: number;
  /** What said so, for people. */
  readonly reason: string;
}

/** Whose an identifier is. */
export interface Belonging {
  readonly customerId: number;
  /** From when it was known to be this customer's; 0 for the identifier that the others joined. */
  readonly linkedAt: number;
}

/** Who is who among the identifiers given. */
export interface Partition {
  readonly belonging: ReadonlyMap<number, Belonging>;
  /** The links that made the customers, the decisive ones first; a link that would break a rule is not among them. */
  readonly accepted: readonly GraphLink[];
}

/**
 * Divides identifiers into customers. Links are taken in one order, whatever the order of arrival:
 * an operator's first, then by the weaker of their two types, then the earliest, then by their text
 * (Kruskal's algorithm over a constrained union-find). A link is passed over where its customer would
 * have more identifiers of a type than the rules allow, or would hold a pair that an operator
 * separated; an operator's own link is bound by separations only. A customer's id is the lowest of its
 * identifiers' ids: the oldest wins.
 */
export function partition(
  identifiers: readonly GraphIdentifier[],
  links: readonly GraphLink[],
  separations: readonly (readonly [number, number])[],
  rules: IdentityRules,
): Partition {
  const byId = new Map(identifiers.map((identifier) => [identifier.id, identifier]));
  const groups = new Groups(identifiers);
  const usable = links.filter((link) => byId.has(link.lowId) && byId.has(link.highId));
  const ordered = inOrder(usable, byId);
  const accepted = ordered.filter((link) => {
    const a = groups.find(link.lowId);
    const b = groups.find(link.highId);
    if (a === b) {
      return false;
    }
    const isAllowed =
      (link.isOperators || groups.fit(a, b, rules)) && !groups.hold(a, b, separations);
    if (isAllowed) {
      groups.unite(a, b);
    }
    return isAllowed;
  });
  const inside = ordered.filter((link) => groups.find(link.lowId) === groups.find(link.highId));
  return { belonging: belongings(groups, inside, byId), accepted };
}

function inOrder(
  links: readonly GraphLink[],
  byId: ReadonlyMap<number, GraphIdentifier>,
): GraphLink[] {
  const ends = new Map(
    links.map((link) => [link, [byId.get(link.lowId), byId.get(link.highId)] as Ends]),
  );
  return [...links].sort((a, b) => {
    const endsOfA = sortedEnds(ends.get(a));
    const endsOfB = sortedEnds(ends.get(b));
    return (
      Number(b.isOperators) - Number(a.isOperators) ||
      compareIdentifierTypes(endsOfA[1].type, endsOfB[1].type) ||
      a.occurredAt - b.occurredAt ||
      compareIdentifiers(endsOfA[0], endsOfB[0]) ||
      compareIdentifiers(endsOfA[1], endsOfB[1])
    );
  });
}

type Ends = readonly [Identifier | undefined, Identifier | undefined];
const NOBODY: Identifier = { type: "", value: "" };

/** The stronger first. */
function sortedEnds(ends: Ends | undefined): readonly [Identifier, Identifier] {
  const [a, b] = [ends?.[0] ?? NOBODY, ends?.[1] ?? NOBODY];
  return compareIdentifiers(a, b) <= 0 ? [a, b] : [b, a];
}

/** Union-find with the members and the count of each type at every root. */
class Groups {
  private readonly parent = new Map<number, number>();
  private readonly counts = new Map<number, Map<string, number>>();
  readonly members = new Map<number, number[]>();

  constructor(identifiers: readonly GraphIdentifier[]) {
    for (const { id, type } of identifiers) {
      this.parent.set(id, id);
      this.counts.set(id, new Map([[type, 1]]));
      this.members.set(id, [id]);
    }
  }

  find(id: number): number {
    let root = id;
    for (let next = this.parent.get(root); next !== undefined && next !== root; ) {
      root = next;
      next = this.parent.get(root);
    }
    this.parent.set(id, root);
    return root;
  }

  /** Whether two groups together keep within the caps. */
  fit(a: number, b: number, rules: IdentityRules): boolean {
    const countsOfA = this.counts.get(a) ?? new Map<string, number>();
    return [...(this.counts.get(b) ?? [])].every(([type, count]) => {
      const other = countsOfA.get(type) ?? 0;
      return other === 0 || other + count <= capOf(rules, type);
    });
  }

  /** Whether two groups together hold a separated pair. */
  hold(a: number, b: number, separations: readonly (readonly [number, number])[]): boolean {
    return separations.some(([one, other]) => {
      const [rootOfOne, rootOfOther] = [this.find(one), this.find(other)];
      return (rootOfOne === a && rootOfOther === b) || (rootOfOne === b && rootOfOther === a);
    });
  }

  /** The smaller joins the larger; which is which shows nowhere. */
  unite(a: number, b: number): number {
    const [into, from] = this.size(a) >= this.size(b) ? [a, b] : [b, a];
    this.parent.set(from, into);
    const counts = this.counts.get(into);
    for (const [type, count] of this.counts.get(from) ?? []) {
      counts?.set(type, (counts.get(type) ?? 0) + count);
    }
    const members = this.members.get(into);
    for (const member of this.members.get(from) ?? []) {
      members?.push(member);
    }
    this.members.delete(from);
    return into;
  }

  size(root: number): number {
    return this.members.get(root)?.length ?? 0;
  }
}

/** Per identifier the lowest id of its group, and when it was first known to be connected with the anchor. */
function belongings(
  groups: Groups,
  links: readonly GraphLink[],
  byId: ReadonlyMap<number, GraphIdentifier>,
): Map<number, Belonging> {
  const linkedAt = connectionTimes(links, byId);
  const result = new Map<number, Belonging>();
  for (const members of groups.members.values()) {
    const customerId = members.reduce((least, id) => Math.min(least, id));
    for (const id of members) {
      result.set(id, { customerId, linkedAt: linkedAt.get(id) ?? 0 });
    }
  }
  return result;
}

/**
 * Replays links in the order in which they were known, of one instant in the order given. Of two groups that a link brings together, the one joins that was
 * not seen before the link happened: an account that is opened joins its visitor, whose visits were that person's all along.
 * Where both were there before, or neither, the one with the weaker identifiers joins. Who joins does so when the link was known;
 * the anchor, which never joins, is in no answer.
 */
function connectionTimes(
  links: readonly GraphLink[],
  byId: ReadonlyMap<number, GraphIdentifier>,
): Map<number, number> {
  const times = new Map<number, number>();
  const connected = new Groups([...byId.values()]);
  const parties = new Map([...byId.values()].map((one): [number, Party] => [one.id, partyOf(one)]));
  for (const link of [...links].sort((a, b) => a.knownAt - b.knownAt)) {
    const [a, b] = [connected.find(link.lowId), connected.find(link.highId)];
    const [one, other] = [parties.get(a), parties.get(b)];
    if (a !== b && one !== undefined && other !== undefined) {
      const joining = isHost(one, other, link.occurredAt) ? b : a;
      for (const id of connected.members.get(joining) ?? []) {
        times.set(id, link.knownAt);
      }
      parties.set(connected.unite(a, b), together(one, other));
    }
  }
  return times;
}

/** What is known of a group that links made so far. */
interface Party {
  readonly strongest: GraphIdentifier;
  readonly firstSeenAt: number;
}

function partyOf(identifier: GraphIdentifier): Party {
  return { strongest: identifier, firstSeenAt: identifier.firstSeenAt };
}

function together(a: Party, b: Party): Party {
  return {
    strongest: isStronger(a.strongest, b.strongest) ? a.strongest : b.strongest,
    firstSeenAt: Math.min(a.firstSeenAt, b.firstSeenAt),
  };
}

/** Whether the first is who the other joins, by a link that happened at an instant. */
function isHost(a: Party, b: Party, at: number): boolean {
  const [wasThere, wasOtherThere] = [a.firstSeenAt < at, b.firstSeenAt < at];
  return wasThere === wasOtherThere ? isStronger(a.strongest, b.strongest) : wasThere;
}

/** By type, of one type the first seen. */
function isStronger(a: GraphIdentifier, b: GraphIdentifier): boolean {
  return (
    (compareIdentifierTypes(a.type, b.type) ||
      a.firstSeenAt - b.firstSeenAt ||
      compareIdentifiers(a, b)) < 0
  );
}
