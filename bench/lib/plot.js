'use strict';
// Charts as SVG text. The same figures give the same bytes; readable on light and on dark pages.

const WIDTH = 760;
const FONT = 13;
/** Room for labels on the left, for values on the right, and for title and axis above and below. */
const LEFT = 250, RIGHT = 90, TOP = 44, BOTTOM = 48;
const BAR = 16, GAP = 5, GROUP_GAP = 26;
const LINES_HEIGHT = 300;

const STYLE = `<style>
  text { font: ${FONT}px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .soft { fill: #59636e }
  .page { fill: #ffffff }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .soft { fill: #9198a1 }
    .page { fill: #0d1117 }
    .grid { stroke: #3d444d }
  }
</style>`;

const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const short = (number) => (Number.isInteger(number) ? String(number) : number.toFixed(1));

/** Three digits that matter: 1234, 12.3, 0.123. */
function figure(number) {
  if (number === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(number))));
  return digits === 0 ? String(Math.round(number)) : number.toFixed(Math.min(digits, 3));
}

const text = (x, y, words, { anchor = 'start', kind } = {}) =>
  `<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}"${kind ? ` class="${kind}"` : ''}>${escape(words)}</text>`;
const line = (x1, y1, x2, y2) => `<line class="grid" x1="${short(x1)}" y1="${short(y1)}" x2="${short(x2)}" y2="${short(y2)}"/>`;

function svg(height, title, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">`,
    STYLE, `<rect class="page" width="${WIDTH}" height="${height}"/>`, text(16, 26, title, { kind: 'title' }), ...parts, '</svg>', '',
  ].join('\n');
}

/** A step of 1, 2 or 5 times a power of ten that gives about five of them up to `most`. */
function step(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
}

/** From values to places: `{ at(value), ticks }`; a logarithmic one begins below the smallest value. */
function scale(values, from, to, logarithmic) {
  const most = Math.max(...values);
  if (!logarithmic) {
    const by = step(most);
    const end = Math.ceil(most / by) * by;
    const ticks = Array.from({ length: Math.round(end / by) + 1 }, (_, i) => Number((i * by).toPrecision(12)));
    return { at: (value) => from + (to - from) * value / end, ticks };
  }
  const first = Math.floor(Math.log10(Math.min(...values.filter((value) => value > 0))));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** (first + i)).toPrecision(12)));
  const at = (value) => from + (to - from) * Math.max(0, Math.log10(value) - first) / (last - first);
  return { at, ticks };
}

/**
 * Bars from left to right.
 *
 * @param {object} chart `title`; `axis`, the name and unit of the values; `logarithmic`;
 *   `groups: [{ label, bars: [{ label, value, color }] }]`
 */
function barChart({ title, axis, groups, logarithmic = false }) {
  const bars = groups.flatMap((group) => group.bars);
  const { at, ticks } = scale(bars.map(({ value }) => value), LEFT, WIDTH - RIGHT, logarithmic);
  const parts = [];
  let y = TOP;
  for (const group of groups) {
    y += GROUP_GAP;
    parts.push(text(16, y - 8, group.label, { kind: 'soft' }));
    for (const { label, value, color } of group.bars) {
      parts.push(
        text(LEFT - 8, y + BAR - 4, label, { anchor: 'end' }),
        `<rect x="${LEFT}" y="${y}" width="${short(Math.max(1, at(value) - LEFT))}" height="${BAR}" fill="${color}"/>`,
        text(Math.max(LEFT + 1, at(value)) + 6, y + BAR - 4, figure(value)),
      );
      y += BAR + GAP;
    }
  }
  const grid = ticks.flatMap((tick) => [line(at(tick), TOP, at(tick), y), text(at(tick), y + 18, tick, { anchor: 'middle', kind: 'soft' })]);
  const name = text((LEFT + WIDTH - RIGHT) / 2, y + 38, axis, { anchor: 'middle', kind: 'soft' });
  return svg(y + BOTTOM, title, [...grid, ...parts, name]);
}

/**
 * Lines over a logarithmic x axis.
 *
 * @param {object} chart `title`; `x`, `y`: names and units of the axes; `logarithmic`: y too;
 *   `lines: [{ label, color, points: [[x, y]] }]`
 */
function lineChart({ title, x, y, lines, logarithmic = false }) {
  const [left, right, top, bottom] = [90, WIDTH - 190, TOP + 12, TOP + 12 + LINES_HEIGHT];
  const points = lines.flatMap((one) => one.points);
  const across = scale(points.map(([value]) => value), left, right, true);
  const up = scale(points.map(([, value]) => value), bottom, top, logarithmic);
  const parts = [
    ...across.ticks.flatMap((tick) => [
      line(across.at(tick), top, across.at(tick), bottom), text(across.at(tick), bottom + 18, tick, { anchor: 'middle', kind: 'soft' }),
    ]),
    ...up.ticks.flatMap((tick) => [line(left, up.at(tick), right, up.at(tick)), text(left - 8, up.at(tick) + 4, tick, { anchor: 'end', kind: 'soft' })]),
    text((left + right) / 2, bottom + 38, x, { anchor: 'middle', kind: 'soft' }),
    text(left - 74, top - 12, y, { kind: 'soft' }),
  ];
  // Labels where the lines end, moved apart where they would touch.
  const ends = lines.map((one) => ({ ...one, y: up.at(one.points.at(-1)[1]) }))
    .sort((a, b) => a.y - b.y);
  let free = top;
  for (const { label, points: own, color, y: end } of ends) {
    const place = Math.max(free, end);
    free = place + FONT + 4;
    const path = own.map(([px, py]) => `${short(across.at(px))},${short(up.at(py))}`).join(' ');
    parts.push(`<polyline class="line" stroke="${color}" points="${path}"/>`);
    for (const [px, py] of own) parts.push(`<circle cx="${short(across.at(px))}" cy="${short(up.at(py))}" r="3" fill="${color}"/>`);
    parts.push(`<rect x="${right + 14}" y="${short(place - 5)}" width="10" height="10" fill="${color}"/>`, text(right + 30, place + 4, label));
  }
  return svg(bottom + BOTTOM, title, parts);
}

module.exports = { barChart, lineChart };
