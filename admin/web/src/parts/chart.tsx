// Lines or bars over time by uPlot, in the page's colours, with the same numbers as a table for who cannot see it.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { T } from '../texts';

export interface Series { label: string; values: (number | null)[]; colour: string }

const hours = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' });
const days = new Intl.DateTimeFormat([], { day: 'numeric', month: 'short' });

export function Chart({ title, times, series, format, bars }: { title: string; times: number[]; series: Series[]; format: (value: number) => string; bars?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    const path = bars ? uPlot.paths.bars!({ size: [0.8, 40], radius: 0.2 }) : uPlot.paths.linear!();
    const width = () => Math.max(260, box.current!.clientWidth);
    const step = times.length > 1 ? times[1]! - times[0]! : 86_400;  // seconds of a bucket
    const name = step < 80_000 ? hours : days;
    const plot = new uPlot({
      width: width(), height: 230, legend: { show: false }, cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true, range: (_, min, max) => [min - step * 0.6, max + step * 0.6] }, y: { range: (_, __, max) => [0, Math.max(bars ? 4 : 0.01, (max || 0) * 1.15)] } },
      axes: [{ ...axis, grid: { show: false }, splits: () => times.filter((_, i) => (times.length - 1 - i) % Math.max(1, Math.ceil(times.length / Math.max(2, Math.floor(width() / 90)))) === 0), values: (_, ticks) => ticks.map((tick) => name.format(tick * 1000)) }, { ...axis, size: 56, values: (_, ticks) => ticks.map(format) }],
      series: [{}, ...series.map((one, i) => ({
        label: one.label, stroke: colour(one.colour), width: 2, points: { show: !bars && times.length < 40, size: 5 },
        fill: bars && i === 0 ? colour('--brand-soft') : undefined, paths: bars && i === 0 ? path : uPlot.paths.linear!(), spanGaps: true,
      }))],
    }, [times, ...series.map((one) => one.values)], box.current!);
    const observer = new ResizeObserver(() => plot.setSize({ width: width(), height: 230 }));
    observer.observe(box.current!);
    return () => { observer.disconnect(); plot.destroy(); };
  }, [times, series, bars]);
  const when = (time: number) => new Date(time * 1000).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });
  return (
    <section class="card stack" aria-label={title}>
      <div class="row"><h2>{title}</h2>
        <ul class="row start legend">{series.map((one) => <li key={one.label} class="row start"><span class={`swatch ${one.colour.slice(2)}`} />{one.label}</li>)}</ul>
      </div>
      <div class="chart" ref={box} aria-hidden="true" />
      <details>
        <summary>{T.analytics.tableOf}</summary>
        <div class="table-box scroll">
          <table>
            <thead><tr><th>{T.analytics.bucket}</th>{series.map((one) => <th key={one.label} class="num">{one.label}</th>)}</tr></thead>
            <tbody>{times.map((time, i) => <tr key={time}><td>{when(time)}</td>{series.map((one) => <td key={one.label} class="num">{one.values[i] === null || one.values[i] === undefined ? '–' : format(one.values[i]!)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
