import { JobDetail } from "~/features/jobs/JobDetail";
import { codesOf } from "~/features/jobs/tabs";
import { jobRoute } from "../router";

export function JobPage() {
  const { id } = jobRoute.useParams();
  const { tab = "overview", codes } = jobRoute.useSearch();
  const navigate = jobRoute.useNavigate();
  return (
    <JobDetail
      key={id}
      id={id}
      tab={tab}
      codes={codesOf(codes)}
      onTab={(next) => void navigate({ search: { tab: next === "overview" ? undefined : next }, replace: true })}
      onCodes={(next) => void navigate({ search: { tab, codes: next.length === 0 ? undefined : next.join(",") }, replace: true })}
    />
  );
}
