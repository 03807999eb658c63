// First what would change, then the change.
import { useState } from 'preact/hooks';
import { post } from '../api';
import { Dialog, Field, Trouble, toast, useAction } from '../parts/ui';
import { T } from '../texts';

interface Outcome {
  revision: string; changes: string[]; problems: string[]; differencesLeftOut: number;
  differences: { kind: string; key: string; fields: { field: string; before: string; after: string }[] }[];
}

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const [file, setFile] = useState<{ name: string; content: string } | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const action = useAction();
  const ask = (dryRun: boolean) => action.run(async () => {
    const told = await post<Outcome>('/v1/knowledge:import', { content: file!.content, fileName: file!.name.slice(0, 200), dryRun, ...(dryRun ? {} : { expectedRevision: outcome!.revision }) });
    if (dryRun) setOutcome(told);
    else { toast(T.knowledge.importDone); onClose(); }
  });
  return (
    <Dialog title={T.knowledge.importTitle} wide onClose={onClose}>
      <p class="quiet">{T.knowledge.importHint}</p>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void ask(true); }}>
        <Field label={T.knowledge.file}>
          <input type="file" accept=".yaml,.yml" required onChange={(e) => {
            const chosen = e.currentTarget.files?.[0];
            setOutcome(null);
            if (chosen) void chosen.text().then((content) => setFile({ name: chosen.name, content }));
          }} />
        </Field>
        <Trouble error={action.error} />
        <button disabled={action.busy || file === null}>{T.knowledge.importCheck}</button>
      </form>
      {outcome && outcome.problems.length > 0 && <ul class="trouble-list">{outcome.problems.slice(0, 50).map((one) => <li key={one} class="mono">{one}</li>)}</ul>}
      {outcome && outcome.problems.length === 0 && outcome.changes.length === 0 && <p>{T.knowledge.importSame}</p>}
      {outcome && outcome.problems.length === 0 && outcome.changes.length > 0 && (
        <>
          <h3>{T.knowledge.changes}</h3>
          <ul class="rows">
            {outcome.differences.map((one) => (
              <li key={one.kind + one.key} class="card"><details class="diff"><summary>{T.knowledge.kinds[one.kind] ?? one.kind} {one.key}</summary>
                <dl class="facts">{one.fields.map((field) => [<dt key={field.field}>{field.field}</dt>, <dd key={`${field.field}-`}>{field.before !== '' && <pre><del>{field.before}</del></pre>}{field.after !== '' && <pre><ins>{field.after}</ins></pre>}</dd>])}</dl></details></li>
            ))}
          </ul>
          <button class="primary" disabled={action.busy} onClick={() => void ask(false)}>{T.knowledge.importDo}</button>
        </>
      )}
    </Dialog>
  );
}
