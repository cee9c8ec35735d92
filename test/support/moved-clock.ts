/**
 * Imported before a program, it moves the program's clock: each SIGUSR2 goes on to the next step, days
 * from the true time. What is compared within a step goes on as the true clock does.
 */
const DAY_MS = 86_400_000;
const STEPS_DAYS = [0, -3, 3, 40];
let step = 0;
const moved = (): number =>
  Math.round(performance.timeOrigin + performance.now()) + (STEPS_DAYS[step] ?? 0) * DAY_MS;
Object.defineProperty(Date, "now", { value: moved });
process.on("SIGUSR2", () => {
  step = Math.min(step + 1, STEPS_DAYS.length - 1);
  process.stdout.write(`clock moved to day ${STEPS_DAYS[step] ?? 0}\n`);
});
