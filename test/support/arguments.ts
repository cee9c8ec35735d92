/** A number that the command line gives as `--name=5`, after `npm run test:faults --`. */
export function numberArgument(name: string, otherwise: number): number {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given === undefined ? otherwise : Number(given.slice(name.length + 3));
}
