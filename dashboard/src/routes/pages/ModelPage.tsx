import { ModelDetail } from "~/features/models/ModelDetail";
import { modelRoute } from "../router";

export function ModelPage() {
  const { name } = modelRoute.useParams();
  const { version } = modelRoute.useSearch();
  const navigate = modelRoute.useNavigate();
  return <ModelDetail key={name} name={name} version={version} onVersion={(next) => void navigate({ search: { version: next }, replace: true })} />;
}
