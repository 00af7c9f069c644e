export { mockApi } from "./mock/plugin.ts";
