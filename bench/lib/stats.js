'use strict';

/** The `q` quantile (0 to 1) of numbers in any order, by linear interpolation; NaN if there are none. */
function quantile(numbers, q) {
  if (numbers.length === 0) return NaN;
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

const median = (numbers) => quantile(numbers, 0.5);

module.exports = { quantile, median };
