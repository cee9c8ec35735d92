import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores([
    "dist/",
    "coverage/",
    "data/",
    "models/",
    ".venv/",
    ".venv-spark/",
    "*.mjs",
    ".dependency-cruiser.mjs",
    "bin/",
    "test/support/reporter.cjs",
  ]),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "no-console": "error",
      complexity: ["error", 12],
      "max-lines": ["warn", { max: 300, skipBlankLines: true, skipComments: true }],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "Ask the clock." },
        { object: "Math", property: "random", message: "Ask the seeded generator." },
        { object: "process", property: "env", message: "Read config.ts." },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: "Ask the clock.",
        },
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
        {
          selector: "CallExpression[callee.property.name='transaction']",
          message:
            "Use writeTransaction or readSnapshot: a deferred one fails beside other writers.",
        },
        {
          selector:
            "CallExpression[callee.property.name=/^(exec|prepare)$/] > Literal[value=/^BEGIN(?! IMMEDIATE)/]",
          message: "Begin a write transaction as BEGIN IMMEDIATE; read with readSnapshot.",
        },
      ],
    },
  },
  {
    files: ["src/base/clock.ts", "src/config.ts"],
    rules: { "no-restricted-syntax": "off", "no-restricted-properties": "off" },
  },
  { files: ["src/base/sqlite.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["src/cli.ts", "bench/**"], rules: { "no-console": "off" } },
  { files: ["bench/**"], rules: { "no-restricted-syntax": "off" } },
  {
    files: ["test/**"],
    rules: {
      // chai's assertions are property reads.
      "@typescript-eslint/no-unused-expressions": "off",
      "max-lines": "off",
    },
  },
);
