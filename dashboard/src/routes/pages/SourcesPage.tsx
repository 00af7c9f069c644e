import { Sources } from "~/features/sources/Sources";
import { sourcesRoute } from "../router";

export function SourcesPage() {
  const { source, prefix } = sourcesRoute.useSearch();
  const navigate = sourcesRoute.useNavigate();
  return <Sources source={source} prefix={prefix ?? ""} onPlace={(next) => void navigate({ search: next })} />;
}
