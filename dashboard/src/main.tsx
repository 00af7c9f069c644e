// Starts the page: theme, query cache, router. What belongs to a page is under features/.
import { MantineProvider } from "@mantine/core";
import "@mantine/core/styles.layer.css";
import "@mantine/charts/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import { Notifications } from "@mantine/notifications";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "~/api/client";
import "./app.css";
import { session } from "./features/session/queries";
import { router } from "./routes/router";
import { cssVariables, theme } from "./theme";

/** A session that has ended shows the sign-in page wherever one is. */
function onError(error: Error): void {
  if (error instanceof ApiError && error.status === 401) client.setQueryData(session.queryKey, null);
}

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  // The sign-in itself is a mutation that answers 401 to a wrong key; setting null then changes nothing.
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.isTransient,
    },
  },
});

const container = document.getElementById("root");
if (container !== null) {
  createRoot(container).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
