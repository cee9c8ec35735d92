import { isSignedBy, type StoreKey } from "../../base/index.ts";

/** What one place lost. `changed` are rows of others that named the person. */
export interface ReceiptStore {
  readonly store: string;
  readonly removed: number;
  readonly changed: number;
}

/** What was erased, without saying who it was. Instants as ISO 8601. */
export interface Receipt {
  readonly format: "herkoop-erasure-1";
  readonly id: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Keyed hashes of the identifiers that are refused from now on. */
  readonly tombstones: readonly { readonly type: string; readonly hash: string }[];
  readonly stores: readonly ReceiptStore[];
  readonly models: {
    /** Versions that had seen the person when they were made. */
    readonly versions: readonly {
      readonly id: string;
      readonly model: string;
      readonly asOf: string;
    }[];
    readonly filesSearched: number;
    /** Files of models in which an identifier was found; models hold numbers, no persons. */
    readonly filesWithRemains: readonly string[];
  };
  /** Backups made before, which hold the person still; restoring one applies the tombstones. */
  readonly backups: readonly { readonly folder: string; readonly madeAt: string }[];
  readonly verification: {
    readonly filesSearched: number;
    readonly identifiersSearched: number;
    readonly filesWithRemains: readonly string[];
    readonly columnsWithRemains: readonly string[];
    readonly historyRowsLeft: number;
    readonly databaseRewritten: boolean;
  };
  readonly keyId: string;
  readonly publicKey: string;
}

export interface SignedReceipt {
  readonly receipt: Receipt;
  /** Ed25519 over the canonical JSON of the receipt, in base64. */
  readonly signature: string;
}

/** JSON with the names of objects sorted by code unit and no white space, so that equal content is equal text (RFC 8785 for what receipts hold: text, whole numbers, booleans). */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => `${JSON.stringify(name)}:${canonicalJson(part)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Signs a receipt with the store's key. */
export function signReceipt(receipt: Receipt, key: StoreKey): SignedReceipt {
  return { receipt, signature: key.sign(canonicalJson(receipt)) };
}

/** Whether a receipt is as it was signed, by the key of `publicKey` (PEM). */
export function verifyReceipt({ receipt, signature }: SignedReceipt, publicKey: string): boolean {
  return isSignedBy(publicKey, canonicalJson(receipt), signature);
}
