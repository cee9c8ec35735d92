/** Locks are the operating system's now, on files in `locks/`. */
export const locksSchema = "DROP TABLE IF EXISTS writer_lock;";
