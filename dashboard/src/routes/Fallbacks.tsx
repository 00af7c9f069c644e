import { Button } from "@mantine/core";
import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { IconMapQuestion } from "@tabler/icons-react";
import { Empty, Failure } from "~/ui/Blank";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";

/** The address leads nowhere. */
export function NotFound() {
  return (
    <Panel>
      <Empty icon={<IconMapQuestion size={22} />} title="There is no such page" action={<ButtonLink to="/" variant="default">To the overview</ButtonLink>}>
        The address may be mistyped, or what it led to is gone.
      </Empty>
    </Panel>
  );
}

/** A page broke; the rest of the frame goes on. */
export function PageFailure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <Panel>
      <Failure error={error instanceof Error ? error : new Error(String(error))} />
      <div style={{ textAlign: "center", paddingBottom: 24 }}>
        <Button
          variant="default"
          onClick={() => {
            reset();
            void router.invalidate();
          }}
        >
          Show the page again
        </Button>
      </div>
    </Panel>
  );
}
