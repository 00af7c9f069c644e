import { ComparePage } from "~/features/models/ComparePage";
import { compareRoute } from "../router";

export function CompareRoute() {
  const { name } = compareRoute.useParams();
  const { a, b } = compareRoute.useSearch();
  const navigate = compareRoute.useNavigate();
  return <ComparePage name={name} a={a ?? "default"} b={b ?? "default"} onPair={(pair) => void navigate({ search: pair, replace: true })} />;
}
