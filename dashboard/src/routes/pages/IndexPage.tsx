import { IndexDetail } from "~/features/indexes/IndexDetail";
import { indexRoute } from "../router";

export function IndexPage() {
  const { name } = indexRoute.useParams();
  const view = indexRoute.useSearch();
  const navigate = indexRoute.useNavigate();
  return <IndexDetail key={name} name={name} view={view} onView={(next) => void navigate({ search: next, replace: true })} />;
}
