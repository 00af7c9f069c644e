// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { EvaluateResult, MeasuredSetting, WorstQuery } from "~/api/types";
import { EvaluationReport } from "./EvaluationReport";

afterEach(cleanup);

function setting(probes: string | number, entries: number): MeasuredSetting {
  const at = { embedding: { 1: 0.91 }, probabilities: { 1: 0.62 } };
  return { probes, partitions_probed: 2, entries_scanned: entries, routing_recall: { embedding: 0.97, probabilities: 0.88 }, precision_at: at, recall_at: at, map_by: { embedding: 0.8, probabilities: 0.5 } };
}

const hit = (id: string, right: boolean) => ({ entry_id: id, uri: `photos/${id}.jpg`, class: right ? "lemon" : "orange", right, thumbnail: `/${id}` });
const query = (uri: string): WorstQuery => ({ uri, class: "lemon", predicted: "orange", average_precision: 0.2, thumbnail: null, hits: [hit(`${uri}1`, false), hit(`${uri}2`, true)] });

const RESULT: EvaluateResult = {
  queries: 40, accuracy: 0.5, precision_at: { embedding: { 1: 0.91 }, probabilities: { 1: 0.62 } }, map: 0.8, routing_recall: 0.97, partitions_probed: 2, probes: "auto",
  per_class: [{ class: "lemon", queries: 20, precision_at: { embedding: { 1: 0.9 }, probabilities: { 1: 0.3 } }, map: 0.7 }],
  settings: [setting("auto", 900), setting("all", 4_000), setting(0.8, 300)], worst: Array.from({ length: 7 }, (_, place) => query(`q${place}`)),
};

const report = (result: EvaluateResult) => render(<MantineProvider><EvaluationReport result={result} /></MantineProvider>);
const texts = (rows: HTMLElement[]) => rows.slice(1).map((row) => row.textContent);

it("puts the settings side by side, the cheapest first, by the ranking that is chosen", () => {
  report(RESULT);
  const table = screen.getByRole("table", { name: "Settings" });
  expect(texts(within(table).getAllByRole("row"))).toEqual([
    "Until 80 % sure0.8230097.0 %91.0 %91 %80.0 %", "Likely onesautoasked for290097.0 %91.0 %91 %80.0 %", "Allall24,00097.0 %91.0 %91 %80.0 %",
  ]);
  fireEvent.click(within(screen.getByRole("radiogroup", { name: "Settings, ranked by" })).getByRole("radio", { name: "Probabilities" }));
  expect(texts(within(table).getAllByRole("row"))[2]).toBe("Allall24,00088.0 %62.0 %62 %50.0 %");
  expect(texts(within(screen.getByRole("table", { name: "Figures by class" })).getAllByRole("row"))).toEqual(["lemon2030.0 %–"]);
});

it("tells right hits of the worst queries from wrong ones in words", () => {
  report(RESULT);
  const hits = within(screen.getByRole("list", { name: "First hits of q0" })).getAllByRole("listitem");
  expect(hits.map((each) => each.textContent)).toEqual(["orangewrong", "lemonright"]);
  expect(screen.getByRole("img", { name: "Query, lemon, q0 (not available)" })).toBeTruthy();
  expect(screen.queryByText("q6")).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Show all 7" }));
  expect(screen.getByText("q6")).toBeTruthy();
});

it("shows what an older evaluation told", () => {
  report({ ...RESULT, settings: undefined, worst: undefined, per_class: [] });
  expect(screen.getByText("By probabilities")).toBeTruthy();
  expect(screen.queryByRole("table", { name: "Settings" })).toBeNull();
});
