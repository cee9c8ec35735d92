import { MultiBar, Presets } from "cli-progress";

/** How a long step says how far it is. */
export interface Step {
  /** `done` of `total`, in the step's own unit. */
  readonly update: (done: number, total: number) => void;
  /** Ends the step with one line that says what came of it. */
  readonly end: (outcome: string) => void;
}

export interface Progress {
  begin(title: string): Step;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): boolean;
}

/** What a child process tells its parent of a step. */
export interface ProgressMessage {
  readonly kind: "begin" | "update" | "end";
  readonly step: number;
  readonly title: string;
  readonly done: number;
  readonly total: number;
  readonly outcome: string;
}

/**
 * Tells of steps on standard error: a bar per running step in a terminal, plain lines elsewhere. A
 * process that was forked tells its parent instead, which draws the steps of all its children.
 */
export function createProgress(): Progress {
  if (process.send !== undefined) {
    return messageProgress(process.send.bind(process));
  }
  return process.stderr.isTTY ? barProgress(process.stderr) : lineProgress(process.stderr);
}

/** Hands a child's messages on to the parent's progress. */
export function relayProgress(progress: Progress): (message: ProgressMessage) => void {
  const steps = new Map<number, Step>();
  return ({ kind, step, title, done, total, outcome }) => {
    if (kind === "begin") {
      steps.set(step, progress.begin(title));
    } else if (kind === "update") {
      steps.get(step)?.update(done, total);
    } else {
      steps.get(step)?.end(outcome);
      steps.delete(step);
    }
  };
}

function messageProgress(send: (message: ProgressMessage) => unknown): Progress {
  let count = 0;
  return {
    begin: (title) => {
      const base = { step: count++, title, done: 0, total: 1, outcome: "" };
      send({ ...base, kind: "begin" });
      return {
        update: (done, total) => send({ ...base, kind: "update", done, total }),
        end: (outcome) => send({ ...base, kind: "end", outcome }),
      };
    },
  };
}

/** Says nothing; for tests and `--json`. */
export const silentProgress: Progress = {
  begin: () => ({ update: () => undefined, end: () => undefined }),
};

function barProgress(output: NodeJS.WriteStream): Progress {
  const bars = new MultiBar(
    {
      stream: output,
      format: "{title} {bar} {percentage}%",
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let running = 0;
  return {
    begin: (title) => {
      const bar = bars.create(100, 0, { title: title.padEnd(44) });
      running++;
      return {
        update: (done, total) => {
          bar.update(Math.round((100 * done) / Math.max(total, 1)));
        },
        end: (outcome) => {
          bars.remove(bar);
          bars.log(`${title}: ${outcome}\n`);
          bars.update();
          if (--running === 0) {
            bars.stop();
          }
        },
      };
    },
  };
}

/** One line at the beginning, one each quarter, one at the end. */
export function lineProgress(output: ProgressOutput): Progress {
  return {
    begin: (title) => {
      let quarter = 0;
      output.write(`${title} ...\n`);
      return {
        update: (done, total) => {
          const reached = Math.floor((4 * done) / Math.max(total, 1));
          if (reached > quarter && reached < 4) {
            quarter = reached;
            output.write(`${title}: ${25 * reached}%\n`);
          }
        },
        end: (outcome) => {
          output.write(`${title}: ${outcome}\n`);
        },
      };
    },
  };
}
