/** Backup: a copy of the store with checksums, and back. */
export {
  type Backup,
  copyBackup,
  listBackups,
  makeBackup,
  takeTombstones,
} from "./backup-store.ts";
export { type BackupCheck, verifyBackup } from "./verify-backup-store.ts";
