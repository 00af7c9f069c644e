import { JobDetail } from "~/features/jobs/JobDetail";
import { jobRoute } from "../router";

export function JobPage() {
  const { id } = jobRoute.useParams();
  const { tab = "overview" } = jobRoute.useSearch();
  const navigate = jobRoute.useNavigate();
  return (
    <JobDetail
      key={id}
      id={id}
      tab={tab}
      onTab={(next) => void navigate({ search: { tab: next === "overview" ? undefined : next }, replace: true })}
    />
  );
}
