// Zero warnings are allowed. Two rules hold the house's shape: a component stays under 150 lines, and
// src/ui fetches nothing.
import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/api/schema.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js"] } },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
      // TanStack Router signals redirects and missing pages by throwing its own values.
      "@typescript-eslint/only-throw-error": "off",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": reactHooks },
    languageOptions: { globals: globals.browser },
    rules: {
      ...reactHooks.configs.recommended.rules,
      "max-lines": ["error", { max: 150 }],
    },
  },
  {
    files: ["src/api/**", "src/**/*.test.{ts,tsx}"],
    rules: { "max-lines": ["error", { max: 400 }] },
  },
  {
    files: ["src/ui/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { group: ["@tanstack/react-query", "openapi-fetch", "~/features/*", "~/live/*"], message: "src/ui fetches nothing" },
            { group: ["~/api/*"], allowTypeImports: true, message: "src/ui fetches nothing" },
          ],
        },
      ],
    },
  },
  { files: ["dev/**", "*.ts", "*.js"], languageOptions: { globals: globals.node } },
  { files: ["public/**"], languageOptions: { globals: globals.browser } },
  { files: ["**/*.js"], ...tseslint.configs.disableTypeChecked },
);
