import { CompareGenerations } from "~/features/indexes/CompareGenerations";
import { generationsRoute } from "../router";

export function CompareGenerationsPage() {
  const { name } = generationsRoute.useParams();
  const asked = generationsRoute.useSearch();
  const navigate = generationsRoute.useNavigate();
  return <CompareGenerations key={name} index={name} asked={asked} onPair={(pair) => void navigate({ search: pair, replace: true })} />;
}
