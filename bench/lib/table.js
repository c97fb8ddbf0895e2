'use strict';

/** A number with so many digits behind the point, or a dash if there is none. */
const fixed = (number, digits) => (Number.isFinite(number) ? number.toFixed(digits) : '–');

/** `120 (100-140)`: the middle and the extremes. */
function spread(numbers, middle, digits) {
  if (numbers.length === 0) return '–';
  if (numbers.length === 1) return fixed(numbers[0], digits);
  return `${fixed(middle(numbers), digits)} (${fixed(Math.min(...numbers), digits)}-${fixed(Math.max(...numbers), digits)})`;
}

/** A Markdown table that is readable as plain text too. The first row holds the headings. */
function table(rows) {
  const cells = rows.map((row) => row.map(String));
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}

module.exports = { fixed, spread, table };
