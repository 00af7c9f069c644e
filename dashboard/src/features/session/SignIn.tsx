import { Anchor, Box, Button, Code, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconKey } from "@tabler/icons-react";
import { type SyntheticEvent, useState } from "react";
import { ApiError } from "~/api/client";
import { Logo } from "~/ui/Logo";
import { SchemeSwitch } from "~/ui/SchemeSwitch";
import classes from "./SignIn.module.css";
import { useSignIn } from "./queries";

/** Asks for a key and trades it for a session cookie. */
export function SignIn() {
  useDocumentTitle("Sign in · Lookalike");
  const [key, setKey] = useState("");
  const signIn = useSignIn();

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (key.trim() !== "") signIn.mutate(key.trim());
  }

  return (
    <main className={classes.page}>
      <Stack className={classes.column} gap="lg">
        <Group gap={12} justify="center">
          <Logo size={38} />
          <Text fz={24} fw={680} lts="-0.02em">Lookalike</Text>
        </Group>
        <Paper component="form" className={classes.card} onSubmit={submit} noValidate>
          <Stack gap="md">
            <Box>
              <Title order={1} fz="lg">Sign in with a key</Title>
              <Text size="sm" c="dimmed" mt={4}>It is traded for a session cookie and not kept in the browser.</Text>
            </Box>
            <PasswordInput
              label="Key"
              name="key"
              size="md"
              autoComplete="off"
              spellCheck={false}
              autoFocus
              required
              withAsterisk={false}
              leftSection={<IconKey size={17} />}
              value={key}
              onChange={(event) => {
                setKey(event.currentTarget.value);
                signIn.reset();
              }}
              error={signIn.error === null ? undefined : reason(signIn.error)}
            />
            <Button type="submit" size="md" fullWidth loading={signIn.isPending} disabled={key.trim() === ""}>
              Sign in
            </Button>
          </Stack>
        </Paper>
        <Text size="sm" c="dimmed" ta="center">
          The first key is in <Code>admin.key</Code> of the data folder. <Anchor href="/docs/" size="sm">API reference</Anchor>
        </Text>
        <Box w={150} mx="auto"><SchemeSwitch /></Box>
      </Stack>
    </main>
  );
}

function reason(error: Error): string {
  if (!(error instanceof ApiError)) return error.message;
  if (error.status === 401) return "This key is not valid: it may be mistyped, expired or deleted.";
  if (error.status === 429) return "Too many tries. Wait a minute, then try again.";
  return error.message;
}
