import { JobsList } from "~/features/jobs/JobsList";
import { jobsRoute } from "../router";

export function JobsPage() {
  const search = jobsRoute.useSearch();
  const navigate = jobsRoute.useNavigate();
  return <JobsList search={search} onSearch={(next) => void navigate({ search: next, replace: true })} />;
}
