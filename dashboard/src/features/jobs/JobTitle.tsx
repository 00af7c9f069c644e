import { Badge, Group, Text, ThemeIcon, Tooltip } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Job } from "~/api/types";
import classes from "./JobTitle.module.css";
import { kindOf, summaryOf } from "./kinds";

export function KindIcon({ kind, size = 30 }: { kind: string; size?: number }) {
  const { icon: Icon, label, color } = kindOf(kind);
  return (
    <Tooltip label={label}>
      <ThemeIcon variant="light" color={color} size={size} aria-label={label} role="img">
        <Icon size={Math.round(size * 0.56)} stroke={1.9} />
      </ThemeIcon>
    </Tooltip>
  );
}

/** Kind, subject and labels of a job, linked to its page. */
export function JobTitle({ job }: { job: Job }) {
  const { title, detail } = summaryOf(job);
  const labels = Object.entries(job.labels);
  return (
    <Group gap={12} wrap="nowrap" miw={0}>
      <KindIcon kind={job.kind} />
      <div className={classes.text}>
        <Group gap={6} wrap="nowrap" miw={0}>
          <Link to="/jobs/$id" params={{ id: job.id }} className={classes.link} onClick={(event) => event.stopPropagation()}>
            {kindOf(job.kind).label} <span className={classes.subject}>{title}</span>
          </Link>
          {labels.slice(0, 2).map(([name, value]) => (
            <Badge key={name} size="xs" variant="outline" color="gray" fw={500} className={classes.label}>{name}:{value}</Badge>
          ))}
          {labels.length > 2 && <Text size="xs" c="dimmed">+{labels.length - 2}</Text>}
        </Group>
        <Text size="xs" c="dimmed" truncate mt={1}>{detail === "" ? job.id : detail}</Text>
      </div>
    </Group>
  );
}
