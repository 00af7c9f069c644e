import { ActionIcon, Badge, Box, Button, Table, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { IconKey, IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Key } from "~/api/types";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Confirm } from "~/ui/Confirm";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import classes from "./KeysList.module.css";
import { NewKeyModal } from "./NewKeyModal";
import { keyList, useRevokeKey } from "./queries";

/** The keys that may call the API. */
export function KeysList() {
  const keys = useQuery(keyList);
  const [making, setMaking] = useState(false);
  const [revoked, setRevoked] = useState<Key | null>(null);
  const revoke = useRevokeKey();
  return (
    <>
      <PageHeader
        name="Keys"
        below="Who may call the API, and how far. Only a hash of each key is kept."
        actions={<Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>New key</Button>}
      />
      <Panel flush>
        {keys.isPending && <Box p={18}><Loading rows={4} /></Box>}
        {keys.isError && keys.data === undefined && <Failure error={keys.error} onRetry={() => void keys.refetch()} />}
        {keys.data?.length === 0 && <Empty icon={<IconKey size={22} />} title="No keys" />}
        {keys.data !== undefined && keys.data.length > 0 && (
          <Table verticalSpacing={11} horizontalSpacing={18} className={classes.table}>
            <Table.Thead>
              <Table.Tr c="dimmed" fz="xs">
                <Table.Th>Name</Table.Th><Table.Th>Scope</Table.Th><Table.Th visibleFrom="sm">Made</Table.Th><Table.Th>Last used</Table.Th><Table.Th visibleFrom="sm">Expires</Table.Th><Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{keys.data.map((key) => <Row key={key.id} item={key} onRevoke={() => setRevoked(key)} />)}</Table.Tbody>
          </Table>
        )}
      </Panel>
      <NewKeyModal opened={making} onClose={() => setMaking(false)} />
      <Confirm
        opened={revoked !== null}
        title={`Delete the key ${revoked?.name ?? ""}?`}
        action="Delete the key"
        busy={revoke.isPending}
        onClose={() => setRevoked(null)}
        onConfirm={() => revoked !== null && revoke.mutate(revoked.id, {
          onError: (error) => notifications.show({ color: "red", title: "Could not delete the key", message: error.message }),
          onSettled: () => setRevoked(null),
        })}
      >
        Whatever uses it is refused from now on, browsers that signed in with it included.
      </Confirm>
    </>
  );
}

function Row({ item, onRevoke }: { item: Key; onRevoke: () => void }) {
  return (
    <Table.Tr>
      <Table.Td style={{ whiteSpace: "nowrap" }}><Text size="sm" fw={600}>{item.name}</Text><Text size="xs" c="dimmed" className="mono">{item.hint}</Text></Table.Td>
      <Table.Td><Badge miw="fit-content" color={item.scope === "admin" ? "red" : item.scope === "manage" ? "orange" : "brand"}>{item.scope}</Badge></Table.Td>
      <Table.Td c="dimmed" visibleFrom="sm"><TimeAgo at={item.created_at} /></Table.Td>
      <Table.Td c="dimmed"><TimeAgo at={item.last_used_at} absent="never" /></Table.Td>
      <Table.Td c="dimmed" visibleFrom="sm"><TimeAgo at={item.expires_at} absent="never" /></Table.Td>
      <Table.Td ta="right">
        <Tooltip label="Delete"><ActionIcon color="red" aria-label={`Delete the key ${item.name}`} onClick={onRevoke}><IconTrash size={16} /></ActionIcon></Tooltip>
      </Table.Td>
    </Table.Tr>
  );
}
