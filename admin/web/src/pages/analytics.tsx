import { useMemo, useState } from 'preact/hooks';
import { get, open } from '../api';
import { duration, fullTime, money, number, plain, seconds } from '../format';
import { Chart } from '../parts/chart';
import { Icon } from '../parts/icons';
import { Empty, Loading, Trouble, useAction, useLoad } from '../parts/ui';
import { T } from '../texts';
import type { Breakdown, CountsReport, LatencyReport, ModelUsage } from '../types';
import { reasonText } from './side';

const ranges = { day: [1, 'HOUR'], week: [7, 'DAY'], month: [30, 'DAY'], quarter: [90, 'WEEK'] } as const;
type Range = keyof typeof ranges;

interface Loaded { counts: CountsReport; latency: LatencyReport; breakdowns: Record<string, Breakdown>; models: ModelUsage }
const kinds = ['HANDOVER_REASON', 'LANGUAGE', 'GATE_FAMILY', 'REPLY_SOURCE', 'DELIVERY_FAILURE'];

export default function AnalyticsPage(_: { route: string[] }) {
  const [range, setRange] = useState<Range>('week');
  const [days, unit] = ranges[range];
  const scope = () => ({
    'scope.timeRange.startTime': new Date(Date.now() - days * 86_400_000).toISOString(), 'scope.timezone': Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  const loaded = useLoad<Loaded>(range, async () => {
    const interval = `REPORT_INTERVAL_${unit}`;
    const [counts, latency, models, ...breakdowns] = await Promise.all([
      get<CountsReport>('/v1/reports/counts', { ...scope(), interval }),
      get<LatencyReport>('/v1/reports/latency', { ...scope(), interval, stages: ['LATENCY_STAGE_TOTAL', 'LATENCY_STAGE_STAFF'] }),
      get<ModelUsage>('/v1/reports/modelUsage', scope()),
      ...kinds.map((kind) => get<Breakdown>('/v1/reports/breakdown', { ...scope(), kind: `BREAKDOWN_KIND_${kind}`, maxRows: 8 })),
    ]);
    return { counts, latency, models, breakdowns: Object.fromEntries(kinds.map((kind, i) => [kind, breakdowns[i]!])) };
  });
  const file = useAction();
  const download = () => file.run(async () => {
    const answer = await open('GET', `/v1/reports/daily.csv?${new URLSearchParams(scope())}`);
    const url = URL.createObjectURL(await answer.blob());
    const link = document.createElement('a');
    link.href = url;
    link.download = `medidesk-${range}.csv`;
    link.click();
    URL.revokeObjectURL(url);
  });
  return (
    <div class="page">
      <header>
        <div><h1>{T.analytics.title}</h1><p>{loaded.value?.counts.completeTime ? T.analytics.asOf(fullTime(loaded.value.counts.completeTime)) : T.analytics.intro}</p></div>
        <div class="row">
          <select aria-label={T.analytics.range} value={range} onChange={(e) => setRange(e.currentTarget.value as Range)}>
            {(Object.keys(ranges) as Range[]).map((one) => <option key={one} value={one}>{T.analytics.ranges[one]}</option>)}
          </select>
          <button disabled={file.busy} onClick={() => void download()}><Icon name="download" />{T.analytics.export}</button>
        </div>
      </header>
      <Trouble error={loaded.error ?? file.error} retry={loaded.reload} />
      {loaded.value === null ? loaded.error === null && <Loading /> : <Report {...loaded.value} />}
    </div>
  );
}

type ModelRow = ModelUsage['models'][number];
const inputOf = (row: ModelRow): number => Number(row.inputTokens) + Number(row.cacheReadTokens) + Number(row.cacheWriteTokens);
const share = (part: number, of: number): string => (of === 0 ? '–' : `${Math.round((part / of) * 100)} %`);

function Report({ counts, latency, breakdowns, models }: Loaded) {
  const t = counts.total;
  const total = latency.total.find((one) => one.stage === 'LATENCY_STAGE_TOTAL');
  const staff = latency.total.find((one) => one.stage === 'LATENCY_STAGE_STAFF');
  const turns = Number(t.turns);
  const times = useMemo(() => counts.buckets.map((one) => Date.parse(one.startTime) / 1000), [counts]);
  const volume = useMemo(() => [
    { label: T.analytics.volumeSeries[0]!, colour: '--brand', values: counts.buckets.map((one) => Number(one.counts.receivedMessages)) },
    { label: T.analytics.volumeSeries[1]!, colour: '--blue', values: counts.buckets.map((one) => Number(one.counts.botMessages)) },
    { label: T.analytics.volumeSeries[2]!, colour: '--red', values: counts.buckets.map((one) => Number(one.counts.staffMessages)) },
  ], [counts]);
  const answer = useMemo(() => (['p50', 'p95'] as const).map((which, i) => ({
    label: T.analytics.latencySeries[i]!, colour: ['--brand', '--blue'][i]!,
    values: latency.buckets.map((one) => duration(one.stages.find((stage) => stage.stage === 'LATENCY_STAGE_TOTAL')?.[which])),
  })), [latency]);
  const latencyTimes = useMemo(() => latency.buckets.map((one) => Date.parse(one.startTime) / 1000), [latency]);
  const sum = (of: (row: ModelRow) => string) => models.models.reduce((all, one) => all + Number(of(one)), 0);
  return (
    <>
      <div class="stats">
        <Stat name={T.analytics.received} value={number(t.receivedMessages)} />
        <Stat name={T.analytics.conversations} value={number(t.activeConversations)} hint={`${T.analytics.newContacts}: ${number(t.newContacts)}`} />
        <Stat name={T.analytics.alone} value={share(Number(t.turnsAnsweredAlone), turns)} hint={T.analytics.aloneHint(number(t.turnsAnsweredAlone), number(t.turns))} />
        <Stat name={T.analytics.p50} value={seconds(duration(total?.p50))} hint={`${T.analytics.p95} ${seconds(duration(total?.p95))}`} />
        <Stat name={T.analytics.staffTime} value={seconds(duration(staff?.p50))} />
        <Stat name={T.analytics.handovers} value={number(t.handovers)} />
        <Stat name={T.analytics.emergencies} value={number(t.emergencies)} />
        <Stat name={T.analytics.unanswered} value={number(t.unansweredQuestions)} />
        <Stat name={T.analytics.failures} value={number(t.deliveryFailures)} />
        {Number(t.ratings) > 0 && <Stat name={T.analytics.satisfaction} value={(Number(t.ratingSum) / Number(t.ratings)).toFixed(1)} hint={T.analytics.ratings(number(t.ratings))} />}
        {models.models.length > 0 && <Stat name={T.analytics.totalCost} value={money(sum((one) => one.costMicroUsd))} hint={T.analytics.requestsOf(number(sum((one) => one.requests)), number(sum((one) => one.failedRequests)))} />}
        {models.models.length > 0 && <Stat name={T.analytics.cacheShare} value={share(sum((one) => one.cacheReadTokens), models.models.reduce((all, one) => all + inputOf(one), 0))} hint={T.analytics.cacheHint} />}
      </div>
      <Chart title={T.analytics.volume} times={times} series={volume} format={number} bars />
      <Chart title={T.analytics.latency} times={latencyTimes} series={answer} format={(value) => seconds(value)} />
      <div class="grid">
        <Bars title={T.analytics.reasons} data={breakdowns.HANDOVER_REASON!} name={reasonText} />
        <Bars title={T.analytics.sources} data={breakdowns.REPLY_SOURCE!} name={(value) => T.chat.sources[value] ?? value} />
        <Bars title={T.analytics.languages} data={breakdowns.LANGUAGE!} name={(value) => value || T.analytics.unknown} />
        <Bars title={T.analytics.families} data={breakdowns.GATE_FAMILY!} name={plain} />
        <Bars title={T.analytics.failuresBy} data={breakdowns.DELIVERY_FAILURE!} name={plain} />
      </div>
      <section class="card stack" aria-label={T.analytics.models}>
        <h2>{T.analytics.models}</h2>
        {models.models.length === 0 ? <Empty>{T.analytics.noModels}</Empty> : (
          <div class="table-box">
            <table class="cards-on-phone">
              <thead><tr><th>{T.analytics.model}</th><th class="num">{T.analytics.requests}</th><th class="num">{T.analytics.failed}</th><th class="num">{T.analytics.tokens}</th><th class="num">{T.analytics.cache}</th><th class="num">{T.analytics.cost}</th></tr></thead>
              <tbody>{models.models.map((one) => {
                const input = inputOf(one);
                return (
                  <tr key={one.model}>
                    <td data-label={T.analytics.model}>{one.model}</td><td data-label={T.analytics.requests} class="num">{number(one.requests)}</td><td data-label={T.analytics.failed} class="num">{number(one.failedRequests)}</td>
                    <td data-label={T.analytics.tokens} class="num">{number(input)} / {number(one.outputTokens)}</td><td data-label={T.analytics.cache} class="num">{share(Number(one.cacheReadTokens), input)}</td>
                    <td data-label={T.analytics.cost} class="num">{money(Number(one.costMicroUsd))}</td>
                  </tr>
                );
              })}</tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}

const Stat = ({ name, value, hint }: { name: string; value: string; hint?: string }) => (
  <div class="stat"><p class="name">{name}</p><p class="value">{value}</p>{hint && <p class="hint">{hint}</p>}</div>
);

function Bars({ title, data, name }: { title: string; data: Breakdown; name: (value: string) => string }) {
  const most = Math.max(1, ...data.rows.map((row) => Number(row.count)));
  return (
    <section class="card stack">
      <h2>{title}</h2>
      {data.rows.length === 0 ? <Empty>{T.analytics.nothing}</Empty> : (
        <ul class="bars">
          {data.rows.map((row) => <li key={row.value}><span class="name">{name(row.value)}</span><span class="num">{number(row.count)}</span><meter min={0} max={most} value={Number(row.count)} aria-label={name(row.value)} /></li>)}
          {Number(data.otherCount) > 0 && <li><span class="name quiet">{T.analytics.other}</span><span class="num">{number(data.otherCount)}</span></li>}
        </ul>
      )}
    </section>
  );
}
