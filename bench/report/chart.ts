export interface Panel {
  readonly title: string;
  readonly groups: readonly Group[];
}

export interface Group {
  readonly name: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  /** Decides the colour. */
  readonly subject: string;
  readonly value: number;
}

const width = 960;
const panelHeight = 250;
const plot = { left: 16, top: 46, height: 160 };
const legendHeight = 34;

/** On light ground and on dark. */
const colours: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  eastwest: ['#c2410c', '#fb923c'],
  envoy: ['#7c3aed', '#a78bfa'],
  nginx: ['#15803d', '#4ade80'],
  haproxy: ['#1d4ed8', '#60a5fa'],
};

/** Bars in groups, each group to its own scale, a panel below the other, readable on light and on dark ground; a subject without colour is left out. */
export function chartSvg(panels: readonly Panel[], description: string): string {
  const subjects = Object.keys(colours).filter((subject) =>
    panels.some(({ groups }) => groups.some(({ bars }) => bars.some((bar) => bar.subject === subject))),
  );
  const height = legendHeight + panels.length * panelHeight;
  const rules = (ground: 0 | 1): string =>
    Object.entries(colours)
      .map(([subject, colour]) => `.${subject}{fill:${colour[ground]}}`)
      .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(description)}">
<style>
text{font:13px system-ui,sans-serif;fill:#1f2937}.title{font-weight:600;font-size:15px}.value{font-size:10px}.middle{text-anchor:middle}
.axis{stroke:#9ca3af}${rules(0)}
@media (prefers-color-scheme:dark){text{fill:#e5e7eb}.axis{stroke:#6b7280}${rules(1)}}
</style>
${legend(subjects)}
${panels.map((panel, at) => panelSvg(panel, legendHeight + at * panelHeight, subjects)).join('\n')}
</svg>
`;
}

function legend(subjects: readonly string[]): string {
  return subjects
    .map((subject, at) => {
      const x = plot.left + at * 110;
      return `<rect class="${subject}" x="${x}" y="14" width="12" height="12" rx="2"/><text x="${x + 18}" y="25">${subject}</text>`;
    })
    .join('\n');
}

function panelSvg({ title, groups }: Panel, y: number, subjects: readonly string[]): string {
  const bottom = y + plot.top + plot.height;
  const groupWidth = (width - 2 * plot.left) / Math.max(1, groups.length);
  const barWidth = Math.min(34, (groupWidth - 14) / Math.max(1, subjects.length));
  const drawn = groups.flatMap(({ name, bars }, group) => {
    const middle = plot.left + (group + 0.5) * groupWidth;
    const left = middle - (barWidth * subjects.length) / 2;
    const most = Math.max(...bars.filter((bar) => subjects.includes(bar.subject)).map(({ value }) => value || 0));
    const boxes = subjects.flatMap((subject, at) => {
      const value = bars.find((bar) => bar.subject === subject)?.value;
      if (value === undefined || !Number.isFinite(value)) return [];
      const high = Math.max(1, (value / most) * plot.height);
      const x = left + at * barWidth;
      const text = value.toLocaleString('en', { maximumSignificantDigits: 3, notation: 'compact' });
      return [
        `<rect class="${subject}" x="${px(x + 1)}" y="${px(bottom - high)}" width="${px(barWidth - 2)}" height="${px(high)}" rx="2"/>`,
        `<text class="value middle" x="${px(x + barWidth / 2)}" y="${px(bottom - high - 4)}">${text}</text>`,
      ];
    });
    return [...boxes, `<text class="middle" x="${px(middle)}" y="${bottom + 18}">${escaped(name)}</text>`];
  });
  return [
    `<text class="title" x="${plot.left}" y="${y + 22}">${escaped(title)}</text>`,
    ...drawn,
    `<line class="axis" x1="${plot.left}" y1="${bottom}" x2="${width - plot.left}" y2="${bottom}"/>`,
  ].join('\n');
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
