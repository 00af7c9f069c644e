import { Overview } from "~/features/overview/Overview";
import { overviewRoute } from "../router";

export function OverviewPage() {
  const { range = "15m" } = overviewRoute.useSearch();
  const navigate = overviewRoute.useNavigate();
  return <Overview range={range} onRange={(next) => void navigate({ search: { range: next === "15m" ? undefined : next }, replace: true })} />;
}
