import { ActionIcon, Badge, CloseButton, Group, NavLink, ScrollArea, Stack, Text, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createLink } from "@tanstack/react-router";
import {
  IconApi, IconBooks, IconBoxModel2, IconFolders, IconKey, IconLayoutDashboard, IconLogout, IconPhotoSearch, IconStack2, type Icon,
} from "@tabler/icons-react";
import type { ComponentProps } from "react";
import { jobCounts } from "~/features/jobs/queries";
import { may, session, useSignOut } from "~/features/session/queries";
import { compact } from "~/format/number";
import { LiveDot } from "~/live/LiveDot";
import { SchemeSwitch } from "~/ui/SchemeSwitch";
import { Brand } from "./Shell";
import classes from "./Navigation.module.css";

const Entry = createLink((props: Omit<ComponentProps<"a">, "onChange"> & { label: string; icon: Icon; count?: number | undefined }) => {
  const { label, icon: Icon, count, className, ...rest } = props;
  return (
    <NavLink
      component="a"
      label={label}
      leftSection={<Icon size={18} stroke={1.8} aria-hidden />}
      rightSection={count ? <Badge size="sm" circle={count < 10} className="tabular" aria-label={`${count} not finished`}>{compact(count)}</Badge> : undefined}
      className={`${classes.entry ?? ""} ${className ?? ""}`}
      {...rest}
    />
  );
});

/** Where one can go, who is signed in, and how the page looks. */
export function Navigation({ onClose }: { onClose: () => void }) {
  const { data: me } = useQuery(session);
  const { data: counts } = useQuery(jobCounts);
  const signOut = useSignOut();
  const by = counts?.by_state;
  const open = by && (by.queued ?? 0) + (by.running ?? 0) + (by.retrying ?? 0) + (by.cancelling ?? 0);
  const active = { className: classes.active ?? "", "aria-current": "page" as const };

  return (
    <Stack h="100%" gap={0} p={14}>
      <Group h={42} px={8} mb={10} justify="space-between" wrap="nowrap">
        <Brand />
        <CloseButton hiddenFrom="sm" size="lg" aria-label="Close the navigation" onClick={onClose} />
      </Group>
      <ScrollArea flex={1} type="never">
        <nav aria-label="Pages" onClick={onClose}>
          <Entry to="/" label="Overview" icon={IconLayoutDashboard} activeOptions={{ exact: true, includeSearch: false }} activeProps={active} />
          <Entry to="/jobs" label="Jobs" icon={IconStack2} count={open} activeOptions={{ includeSearch: false }} activeProps={active} />
          <Entry to="/search" label="Search" icon={IconPhotoSearch} activeOptions={{ includeSearch: false }} activeProps={active} />
          <Text className={classes.heading}>Library</Text>
          <Entry to="/models" label="Models" icon={IconBoxModel2} activeOptions={{ includeSearch: false }} activeProps={active} />
          <Entry to="/indexes" label="Indexes" icon={IconBooks} activeOptions={{ includeSearch: false }} activeProps={active} />
          <Entry to="/sources" label="Sources" icon={IconFolders} activeOptions={{ includeSearch: false }} activeProps={active} />
          <Text className={classes.heading}>Access</Text>
          {may(me, "admin") && (
              <Entry to="/keys" label="Keys" icon={IconKey} activeOptions={{ includeSearch: false }} activeProps={active} />
          )}
          <NavLink href="/docs/" label="API reference" leftSection={<IconApi size={18} stroke={1.8} aria-hidden />} className={classes.entry} />
        </nav>
      </ScrollArea>
      <Stack gap={12} pt={12}>
        <Group px={8} visibleFrom="sm"><LiveDot /></Group>
        <SchemeSwitch />
        <Group justify="space-between" wrap="nowrap" className={classes.who}>
          <div style={{ minWidth: 0 }}>
            <Text size="sm" fw={600} truncate>{me?.name}</Text>
            <Text size="xs" c="dimmed">scope {me?.scope}</Text>
          </div>
          <Tooltip label="Sign out">
            <ActionIcon aria-label="Sign out" size="lg" loading={signOut.isPending} onClick={() => signOut.mutate()}>
              <IconLogout size={17} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Stack>
    </Stack>
  );
}
