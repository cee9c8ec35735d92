import { messageOf } from "./base/index.ts";
import { openSlowVerification } from "./collection/index.ts";
import { openFileCleaner } from "./segments/index.ts";
import type { Service } from "./service.ts";

/** Takes who withdrew out of the audience files, one time after the other; what fails waits for the next time. */
export function cleaning({ store, logger }: Service): () => Promise<void> {
  const clean = openFileCleaner(store);
  let last = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      const { files, removed } = await clean();
      if (removed > 0) {
        logger.info({ files, removed }, "rows removed from audience files");
      }
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "audience files not cleaned");
    }
  };
  return () => (last = last.then(run));
}

/** Checks the history file by file, and tells in health what is damaged. */
export function verifying({ store, logger, problems }: Service): () => void {
  const verifyNext = openSlowVerification(store);
  let isRunning = false;
  const run = async (): Promise<void> => {
    try {
      const damaged = await verifyNext();
      const said = damaged.map(({ file, damage }) => `${file}: ${damage}`).join("; ");
      if (said === "") {
        problems.clear("damaged-history");
      } else {
        problems.report(
          "damaged-history",
          `${said}; put it back from a backup, then run herkoop doctor`,
        );
        logger.error({ damaged }, "history files are damaged");
      }
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "history not verified");
    }
  };
  return () => {
    if (!isRunning) {
      isRunning = true;
      void run().finally(() => {
        isRunning = false;
      });
    }
  };
}

/** Resolves the next live lines; what fails waits for the next time, and is told once. */
