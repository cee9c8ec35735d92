import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ServiceError } from "./errors.ts";
import type { Store } from "./store.ts";

/** What a store keeps secret: it hashes what must be known again but not read, and signs what it did. */
export interface StoreKey {
  /** Tells which key made a hash; no secret. */
  readonly id: string;
  /** The key that checks signatures, as PEM (SPKI). */
  readonly publicKey: string;
  /** HMAC-SHA256 of a text, in hex. */
  hash(text: string): string;
  /** Ed25519, in base64. */
  sign(text: string): string;
  /** Text that only this key can read again (AES-256-GCM). */
  lock(text: string): Buffer;
  unlock(locked: Buffer): string;
}

interface KeyFile {
  /** 32 bytes, in hex. */
  readonly secret: string;
  /** Ed25519 as PEM (PKCS 8). */
  readonly privateKey: string;
}

/** The name of the key's file in the store's folder. */
export const KEY_FILE = "herkoop.key";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whether a store has a key. */
export function hasStoreKey(store: Store): boolean {
  return existsSync(join(store.folder, KEY_FILE));
}

/** The store's key, made on first use; readable by its owner alone. */
export function openStoreKey(store: Store): StoreKey {
  const file = join(store.folder, KEY_FILE);
  if (!existsSync(file)) {
    writeNewKey(file, store.partial(file));
  }
  const { secret, privateKey } = readKey(file);
  const secretBytes = Buffer.from(secret, "hex");
  const signing = createPrivateKey(privateKey);
  const publicKey = createPublicKey(signing).export({ type: "spki", format: "pem" }).toString();
  const lockKey = createHmac("sha256", secretBytes).update("lock").digest();
  return {
    id: createHash("sha256").update(publicKey).digest("hex").slice(0, 16),
    publicKey,
    hash: (text) => createHmac("sha256", secretBytes).update(text).digest("hex"),
    sign: (text) => sign(null, Buffer.from(text), signing).toString("base64"),
    lock: (text) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", lockKey, nonce);
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    unlock: (locked) => {
      const decipher = createDecipheriv("aes-256-gcm", lockKey, locked.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(locked.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const body = locked.subarray(NONCE_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
    },
  };
}

/** Whether a text was signed by the key of this public key (PEM). False for what is no key or signature. */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    return verify(
      null,
      Buffer.from(text),
      createPublicKey(publicKey),
      Buffer.from(signature, "base64"),
    );
  } catch {
    return false;
  }
}

/** Whole or not at all, and once: of two processes that come first, one key stays. */
function writeNewKey(file: string, partial: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  const content: KeyFile = {
    secret: randomBytes(32).toString("hex"),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const handle = openSync(partial, "wx", 0o600);
  writeSync(handle, `${JSON.stringify(content, null, 1)}\n`);
  fsyncSync(handle);
  closeSync(handle);
  try {
    linkSync(partial, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  } finally {
    rmSync(partial);
  }
}

function readKey(file: string): KeyFile {
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  const { secret, privateKey } = parsed as Partial<KeyFile>;
  if (typeof secret !== "string" || typeof privateKey !== "string") {
    throw new ServiceError("not-ready", `${KEY_FILE}: expected a key of this store`);
  }
  return { secret, privateKey };
}
