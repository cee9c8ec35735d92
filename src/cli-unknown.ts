import type { Command } from "commander";
import { nearest } from "./base/index.ts";

/**
 * Ends with the code for unusable input where the arguments name a command that there is none of, also before
 * --help and after help: commander itself would show the general help as if all were well.
 */
export function refuseUnknownCommand(program: Command, args: readonly string[]): void {
  let command = program;
  for (const name of operandsOf(program, args)) {
    const names = command.commands.flatMap((one) => [one.name(), ...one.aliases()]);
    // What follows the name of a command without commands of its own are its arguments.
    if (names.length === 0) {
      return;
    }
    const next = command.commands.find(
      (one) => one.name() === name || one.aliases().includes(name),
    );
    if (next === undefined && name !== "help") {
      if (command.registeredArguments.length > 0) {
        return;
      }
      command.error(
        `error: unknown command '${name}' (nearest: ${nearest(name, [...names, "help"])[0] ?? ""})`,
        { code: "commander.unknownCommand", exitCode: 2 },
      );
    }
    command = next ?? command;
  }
}

/** The arguments that are no options, up to the first option that no command before it has. */
function operandsOf(program: Command, args: readonly string[]): string[] {
  const operands: string[] = [];
  let command = program;
  const known = [...program.options];
  let isValue = false;
  for (const arg of args) {
    if (isValue) {
      isValue = false;
    } else if (arg.startsWith("-")) {
      const [flag] = arg.split("=");
      const option = known.find(({ long, short }) => long === flag || short === flag);
      if (option === undefined && !HELP.includes(arg)) {
        break;
      }
      isValue = option?.required === true && flag === arg;
    } else {
      operands.push(arg);
      command = command.commands.find((one) => one.name() === arg) ?? command;
      known.push(...command.options);
    }
  }
  return operands;
}

const HELP = ["--help", "-h"];
