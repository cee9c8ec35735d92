import { type Every, ServiceError } from "../base/index.ts";

/** Whose requests are counted together. */
export interface IntakeSender {
  readonly source: string;
  readonly isPublic: boolean;
}

/** The body of one request on its way in, and what it holds in memory. */
export interface Upload {
  /** The most bytes this body may hold, sent and inflated together. */
  readonly bytesMax: number;
  readonly isKnown: boolean;
  /** Whether so many bytes more stay within `bytesMax`. */
  fits(bytes: number): boolean;
  /** Counts bytes in. Throws `too-large` beyond the body's limit, `overloaded` where the sender's share is used up. */
  take(bytes: number): void;
  /** Names the sender of what came from an unknown one so far; its limits hold from here. Throws as `take`. */
  identify(sender: IntakeSender): void;
  /** What to call if the body must stop while it is still arriving. */
  onCut(stop: (error: ServiceError) => void): void;
  /** It is all there; it is never cut from here. */
  arrived(): void;
  /** Gives back all it holds. */
  end(): void;
}

/** Bounds what all requests together hold in memory, and shares it out among senders. */
export interface Intake {
  /** Begins a body; of an unknown sender, `undefined`. */
  open(sender: IntakeSender | undefined): Upload;
}

/** A batch of a server's SDK: 4 MB. */
const SECRET_BYTES_MAX = 4 * 1024 * 1024;
/** The SDKs of browsers and phones stay below 500 KB. */
const PUBLIC_BYTES_MAX = 512 * 1024;
/** What browsers let a beacon, or a request that outlives its page, carry. */
const UNKNOWN_BYTES_MAX = 64 * 1024;

/** The part that unknown senders share; it is not taken from the others. */
const UNKNOWN_PART = 1 / 8;

const TICK_MS = 1_000;
/** A body must be there within 30 s, and never pause for 5 s. */
const WHOLE_TICKS = 30;
const IDLE_TICKS = 5;
/** From its second tick on (1 to 2 s), a body gives way to others of its sender. */
const SLOW_TICKS = 2;

interface Share {
  held: number;
  /** In the order they began. */
  readonly arriving: Set<Arriving>;
  readonly isUnknown: boolean;
}

interface Arriving {
  share: Share;
  held: number;
  ticks: number;
  idleTicks: number;
  stop: ((error: ServiceError) => void) | undefined;
}

/**
 * An intake that holds at most `bytesMax` of known senders at a time, and an eighth of that besides of unknown ones.
 *
 * A source holds at most as much as is still free: half of all where it is alone, a third where two are at their
 * limit. So some is free for the next source always. Where a share is used up, the oldest body in it that arrives
 * slowly is cut, then the new one is refused. Unknown senders have one share, in which every body that
 * is still arriving counts as slow: whoever holds bytes back there loses its place to whoever does not.
 */
export function createIntake(bytesMax: number, every: Every): Intake {
  const unknown: Share = { held: 0, arriving: new Set(), isUnknown: true };
  const shares = new Map<string, Share>();
  const arriving = new Set<Arriving>();
  let knownHeld = 0;

  const fits = (share: Share, bytes: number): boolean =>
    share.isUnknown
      ? share.held + bytes <= bytesMax * UNKNOWN_PART
      : share.held + bytes <= bytesMax - knownHeld;
  const count = (one: Arriving, bytes: number): void => {
    one.held += bytes;
    one.share.held += bytes;
    knownHeld += one.share.isUnknown ? 0 : bytes;
  };
  const settle = (one: Arriving): void => {
    arriving.delete(one);
    one.share.arriving.delete(one);
  };
  const cut = (one: Arriving, error: ServiceError): void => {
    settle(one);
    count(one, -one.held);
    one.stop?.(error);
  };
  const makeRoom = (one: Arriving, bytes: number): void => {
    while (!fits(one.share, bytes)) {
      const slow = slowestBut(one);
      if (slow === undefined) {
        throw new ServiceError(
          "overloaded",
          "more is arriving than can be written; send it again after Retry-After",
        );
      }
      cut(slow, new ServiceError("overloaded", "body: it came too slowly while others waited"));
    }
  };
  const shareOf = (sender: IntakeSender | undefined): Share => {
    if (sender === undefined) {
      return unknown;
    }
    const share = shares.get(sender.source) ?? { held: 0, arriving: new Set(), isUnknown: false };
    shares.set(sender.source, share);
    return share;
  };
  every(TICK_MS, () => {
    for (const one of arriving) {
      one.ticks++;
      one.idleTicks++;
      if (one.ticks > WHOLE_TICKS || one.idleTicks > IDLE_TICKS) {
        cut(one, new ServiceError("timed-out", "body: it did not come in time", { field: "body" }));
      }
    }
  });

  const open = (sender: IntakeSender | undefined): Upload => {
    const one: Arriving = {
      share: shareOf(sender),
      held: 0,
      ticks: 0,
      idleTicks: 0,
      stop: undefined,
    };
    const begin = (): void => {
      arriving.add(one);
      one.share.arriving.add(one);
    };
    let limit = limitOf(sender);
    begin();
    return {
      get bytesMax() {
        return limit;
      },
      get isKnown() {
        return !one.share.isUnknown;
      },
      fits: (bytes) => one.held + bytes <= limit,
      take: (bytes) => {
        one.idleTicks = 0;
        refuseBeyond(limit, one.held + bytes);
        makeRoom(one, bytes);
        count(one, bytes);
      },
      identify: (known) => {
        const { held } = one;
        const isArriving = arriving.has(one);
        count(one, -held);
        settle(one);
        one.share = shareOf(known);
        limit = limitOf(known);
        if (isArriving) {
          begin();
        }
        makeRoom(one, held);
        count(one, held);
      },
      onCut: (stop) => {
        one.stop = stop;
      },
      arrived: () => {
        settle(one);
      },
      end: () => {
        settle(one);
        count(one, -one.held);
      },
    };
  };
  return { open };
}

function slowestBut(one: Arriving): Arriving | undefined {
  for (const other of one.share.arriving) {
    if (other !== one && (one.share.isUnknown || other.ticks >= SLOW_TICKS)) {
      return other;
    }
  }
  return undefined;
}

function limitOf(sender: IntakeSender | undefined): number {
  if (sender === undefined) {
    return UNKNOWN_BYTES_MAX;
  }
  return sender.isPublic ? PUBLIC_BYTES_MAX : SECRET_BYTES_MAX;
}

function refuseBeyond(limit: number, bytes: number): void {
  if (bytes > limit) {
    throw new ServiceError("too-large", `body: expected at most ${limit} bytes`, { field: "body" });
  }
}
