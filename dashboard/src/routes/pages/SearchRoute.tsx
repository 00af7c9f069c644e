import { SearchPage } from "~/features/search/SearchPage";
import { searchRoute } from "../router";

export function SearchRoute() {
  const params = searchRoute.useSearch();
  const navigate = searchRoute.useNavigate();
  return <SearchPage params={params} onParams={(next, replace) => void navigate({ search: next, replace })} />;
}
