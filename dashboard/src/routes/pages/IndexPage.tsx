import { IndexDetail } from "~/features/indexes/IndexDetail";
import { indexRoute } from "../router";

export function IndexPage() {
  const { name } = indexRoute.useParams();
  const search = indexRoute.useSearch();
  const navigate = indexRoute.useNavigate();
  return <IndexDetail key={name} name={name} chosen={search.class} onChoose={(next) => void navigate({ search: { class: next }, replace: true })} />;
}
