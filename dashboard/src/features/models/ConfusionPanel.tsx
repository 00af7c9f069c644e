import { ScrollArea, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { count, percent } from "~/format/number";
import { Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import classes from "./ConfusionPanel.module.css";
import { confusion } from "./queries";

interface Cell {
  row: number;
  column: number;
}

/** Which classes are taken for which, over the validation pictures. */
export function ConfusionPanel({ name, version }: { name: string; version: number }) {
  const { data, error, isPending, refetch } = useQuery(confusion(name, version));
  const [over, setOver] = useState<Cell | null>(null);
  if (isPending) return <Panel title="Confusion"><Loading rows={6} /></Panel>;
  if (data === undefined) return <Panel title="Confusion"><Failure error={error} onRetry={() => void refetch()} /></Panel>;
  const sums = data.matrix.map((row) => row.reduce((sum, value) => sum + value, 0));
  return (
    <Panel title="Confusion" hint="true classes down, answers across">
      <ScrollArea type="auto" offsetScrollbars="x">
        <table className={classes.matrix} onMouseLeave={() => setOver(null)}>
          <caption>Confusion matrix of {name}@{version}</caption>
          <thead>
            <tr>
              <td />
              {data.classes.map((name, column) => <th key={name} scope="col" data-over={over?.column === column || undefined}><span>{name}</span></th>)}
            </tr>
          </thead>
          <tbody>
            {data.matrix.map((values, row) => (
              <tr key={data.classes[row]}>
                <th scope="row" data-over={over?.row === row || undefined}>{data.classes[row]}</th>
                {values.map((value, column) => {
                  const share = value / Math.max(1, sums[row] ?? 0);
                  return (
                    <td
                      key={data.classes[column]}
                      className={classes.cell}
                      data-right={row === column || undefined}
                      style={{ "--share": `${Math.round(Math.sqrt(share) * 100)}%` }}
                      title={`${data.classes[row] ?? ""} taken for ${data.classes[column] ?? ""}: ${value}`}
                      onMouseEnter={() => setOver({ row, column })}
                    >
                      {value > 0 && value}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollArea>
      <Text size="sm" c="dimmed" mt={8} h={20} className="tabular">{over === null ? "Point at a cell to read it." : told(over)}</Text>
    </Panel>
  );

  function told({ row, column }: Cell): string {
    const value = data?.matrix[row]?.[column] ?? 0;
    const of = sums[row] ?? 0;
    return `${count(value)} of ${count(of)} pictures of ${data?.classes[row] ?? ""} were taken for ${data?.classes[column] ?? ""} (${percent(value / Math.max(1, of))})`;
  }
}
