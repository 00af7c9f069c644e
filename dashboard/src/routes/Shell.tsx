import { AppShell, Burger, Center, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { session } from "~/features/session/queries";
import { SignIn } from "~/features/session/SignIn";
import { LiveDot } from "~/live/LiveDot";
import { LiveUpdates } from "~/live/LiveUpdates";
import { Failure } from "~/ui/Blank";
import { Logo } from "~/ui/Logo";
import { Navigation } from "./Navigation";
import classes from "./Shell.module.css";

/** The frame around every page; the sign-in page in its place while nobody is signed in. */
export function Shell() {
  const me = useQuery(session);
  if (me.data === undefined) {
    return me.isError ? <Center mih="100dvh"><Failure error={me.error} onRetry={() => void me.refetch()} /></Center> : null;
  }
  if (me.data === null) return <SignIn />;
  return <LiveUpdates><Frame /></LiveUpdates>;
}

function Frame() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => close(), [path, close]);

  return (
    <AppShell
      header={{ height: 56, collapsed: false }}
      navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }}
      layout="alt"
      padding={0}
      classNames={{ header: classes.header ?? "", navbar: classes.navbar ?? "", main: classes.main ?? "" }}
    >
      <a href="#content" className="skip-link">To the content</a>
      <AppShell.Header hiddenFrom="sm">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap={10} wrap="nowrap">
            <Burger opened={opened} onClick={toggle} size="sm" aria-label="Navigation" />
            <Brand />
          </Group>
          <LiveDot />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar>
        <Navigation onClose={close} />
      </AppShell.Navbar>
      <AppShell.Main>
        <div id="content" tabIndex={-1} className={classes.content}><Outlet /></div>
      </AppShell.Main>
    </AppShell>
  );
}

export function Brand() {
  return (
    <Group gap={9} wrap="nowrap">
      <Logo />
      <Text fw={680} fz={17} lts="-0.02em">Lookalike</Text>
    </Group>
  );
}
