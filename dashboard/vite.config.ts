// Builds the page into dist/, which the API binary embeds and serves at `/`.
// The server's content security policy forbids inline scripts and data: fonts, so nothing is inlined.
// `--mode mock` serves the page against the small in-memory API of dev/, `dev` against a real one.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// As the API sends it with the page.
const policy = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'";
// Browsers that know `light-dark()`. For older ones the build would rewrite it into a form that needs a fixed
// `color-scheme`, and every colour of ours that differs between the schemes would be gone.
const browsers = ["chrome123", "edge123", "firefox120", "safari17.5"];
const api = process.env.LOOKALIKE_URL ?? "http://127.0.0.1:8080";

export default defineConfig(async ({ mode }) => ({
  plugins: [react(), ...(mode === "mock" ? [(await import("./dev/mock.ts")).mockApi()] : [])],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { target: browsers, assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 800 },
  server: mode === "mock" ? {} : { proxy: { "/v1": api, "/openapi.json": api, "/docs": api } },
  preview: { headers: { "content-security-policy": policy } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
}));
