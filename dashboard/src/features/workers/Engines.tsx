import { Badge, Group, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Worker } from "~/api/types";
import { modelList } from "~/features/models/queries";
import { significant } from "~/format/number";
import classes from "./WorkerCard.module.css";

/** What runs the models that are loaded, the one used last first. */
export function Engines({ engines }: Pick<Worker, "engines">) {
  const models = useQuery({ ...modelList, enabled: engines.length > 0, staleTime: 60_000 });
  if (engines.length === 0) return null;
  // Versions between the newest and the default one are known by their network alone.
  const versions = models.data?.flatMap((model) => [model.default, model.latest]) ?? [];
  return (
    <Group component="ul" gap={8} aria-label="Engines" className={classes.engines}>
      {engines.toReversed().map(({ model, backbone, engine, precision, pictures_per_second: rate, reason }) => {
        const version = versions.find(({ id }) => id === model);
        return (
          <li key={model}>
            <Tooltip label={reason ?? engine} disabled={!reason} multiline maw={360}>
              <Badge variant="default" fw={500} tabIndex={0}>
                {version !== undefined && `${version.name}@${version.version}, `}{backbone} in {engine} {precision}{rate !== null && `, ${significant(rate)}/s`}
              </Badge>
            </Tooltip>
          </li>
        );
      })}
    </Group>
  );
}
