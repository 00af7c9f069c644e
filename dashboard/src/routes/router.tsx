// The URLs of the page: which component each shows, and what of its parameters is valid. Nothing else.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { indexView } from "~/features/indexes/tabs";
import { jobSearch } from "~/features/jobs/filter";
import { jobView } from "~/features/jobs/tabs";
import { isRange, type Range } from "~/features/overview/ranges";
import { searchParams } from "~/features/search/params";
import { NotFound, PageFailure } from "./Fallbacks";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: PageFailure });

export const overviewRoute = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (raw: Record<string, unknown>): { range?: Range } => ({ range: isRange(raw.range) ? raw.range : undefined }),
  component: lazyRouteComponent(() => import("./pages/OverviewPage"), "OverviewPage"),
});

export const jobsRoute = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => import("./pages/JobsPage"), "JobsPage"),
});

export const jobRoute = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$id",
  validateSearch: jobView,
  component: lazyRouteComponent(() => import("./pages/JobPage"), "JobPage"),
});

export const searchRoute = createRoute({
  getParentRoute: () => root,
  path: "/search",
  validateSearch: searchParams,
  component: lazyRouteComponent(() => import("./pages/SearchRoute"), "SearchRoute"),
});

export const modelsRoute = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(() => import("~/features/models/ModelsList"), "ModelsList"),
});

export const modelRoute = createRoute({
  getParentRoute: () => root,
  path: "/models/$name",
  validateSearch: (raw: Record<string, unknown>): { version?: number } => ({ version: Number(raw.version) > 0 ? Number(raw.version) : undefined }),
  component: lazyRouteComponent(() => import("./pages/ModelPage"), "ModelPage"),
});

/** The text of a parameter; the router reads a bare number as one. */
const word = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : undefined);

export const compareRoute = createRoute({
  getParentRoute: () => root,
  path: "/models/$name/compare",
  validateSearch: (raw: Record<string, unknown>): { a?: string; b?: string } => ({ a: word(raw.a), b: word(raw.b) }),
  component: lazyRouteComponent(() => import("./pages/ComparePage"), "CompareRoute"),
});

export const indexesRoute = createRoute({
  getParentRoute: () => root,
  path: "/indexes",
  component: lazyRouteComponent(() => import("~/features/indexes/IndexesList"), "IndexesList"),
});

export const indexRoute = createRoute({
  getParentRoute: () => root,
  path: "/indexes/$name",
  validateSearch: indexView,
  component: lazyRouteComponent(() => import("./pages/IndexPage"), "IndexPage"),
});

/** The number of a generation; undefined for anything else. */
const generation = (value: unknown) => (Number(value) > 0 ? Number(value) : undefined);

export const generationsRoute = createRoute({
  getParentRoute: () => root,
  path: "/indexes/$name/compare",
  validateSearch: (raw: Record<string, unknown>): { a?: number; b?: number } => ({ a: generation(raw.a), b: generation(raw.b) }),
  component: lazyRouteComponent(() => import("./pages/CompareGenerationsPage"), "CompareGenerationsPage"),
});

export const sourcesRoute = createRoute({
  getParentRoute: () => root,
  path: "/sources",
  validateSearch: (raw: Record<string, unknown>): { source?: string; prefix?: string } => ({
    source: typeof raw.source === "string" ? raw.source : undefined,
    prefix: typeof raw.prefix === "string" && raw.prefix !== "" ? raw.prefix : undefined,
  }),
  component: lazyRouteComponent(() => import("./pages/SourcesPage"), "SourcesPage"),
});

export const keysRoute = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: lazyRouteComponent(() => import("~/features/keys/KeysList"), "KeysList"),
});

const routeTree = root.addChildren([
  overviewRoute, jobsRoute, jobRoute, searchRoute, modelsRoute, modelRoute, compareRoute, indexesRoute, indexRoute, generationsRoute, sourcesRoute, keysRoute,
]);

export const router = createRouter({ routeTree, scrollRestoration: true, defaultPreload: "intent", defaultPreloadDelay: 80 });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
