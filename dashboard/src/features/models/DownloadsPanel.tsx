import { Button, Stack, Text } from "@mantine/core";
import { IconDownload, IconFileText } from "@tabler/icons-react";
import type { ModelVersion } from "~/api/types";
import { bytes } from "~/format/number";
import { Mono } from "~/ui/Copy";
import { Panel } from "~/ui/Panel";

/** The model for use elsewhere. */
export function DownloadsPanel({ model }: { model: ModelVersion }) {
  const at = `/v1/models/${encodeURIComponent(model.name)}/${model.version}`;
  return (
    <Panel title="Files">
      <Stack gap="xs">
        <Button component="a" href={`${at}/weights`} download variant="default" justify="flex-start" leftSection={<IconDownload size={16} />}>
          Weights, safetensors ({bytes(model.weights_bytes)})
        </Button>
        <Button component="a" href={`${at}/onnx`} download variant="default" justify="flex-start" leftSection={<IconDownload size={16} />}>
          Network and weights, ONNX
        </Button>
        <Button component="a" href={`${at}/files`} target="_blank" rel="noreferrer" variant="default" justify="flex-start" leftSection={<IconFileText size={16} />}>
          The pictures it was trained on
        </Button>
        <Text size="xs" c="dimmed" mt={4}>SHA-256 of the weights</Text>
        <Mono value={model.weights_sha256} label="Copy the SHA-256" />
      </Stack>
    </Panel>
  );
}
