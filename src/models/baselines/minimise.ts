/**
 * The point where a function is least, by the simplex search of Nelder and Mead (1965); `start` and the
 * steps from it make the first simplex. Ends when values differ by less than `tolerance` of their size.
 */
export function minimise(
  loss: (point: readonly number[]) => number,
  start: readonly number[],
  { step = 0.5, tolerance = 1e-9, iterations = 2000 } = {},
): { readonly point: readonly number[]; readonly value: number } {
  const told = (point: readonly number[]): Vertex => ({ point, value: valueOf(loss, point) });
  const simplex = [
    told(start),
    ...start.map((_, axis) => told(start.map((x, index) => (index === axis ? x + step : x)))),
  ];
  for (let iteration = 0; iteration < iterations; iteration++) {
    simplex.sort((a, b) => a.value - b.value);
    const [best, worst] = [simplex[0], simplex.at(-1)];
    if (best === undefined || worst === undefined) {
      break;
    }
    if (worst.value - best.value < tolerance * (1 + Math.abs(best.value))) {
      break;
    }
    const better = moved(simplex, worst, told);
    if (better === undefined) {
      const rest = simplex
        .slice(1)
        .map(({ point }) => told(point.map((x, axis) => (x + (best.point[axis] ?? 0)) / 2)));
      simplex.splice(1, rest.length, ...rest);
    } else {
      simplex[simplex.length - 1] = better;
    }
  }
  return simplex.reduce((a, b) => (b.value < a.value ? b : a));
}

interface Vertex {
  readonly point: readonly number[];
  readonly value: number;
}

function valueOf(loss: (point: readonly number[]) => number, point: readonly number[]): number {
  const value = loss(point);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

/** The worst vertex reflected through the others' middle, further, or less far; undefined where none is better. */
function moved(
  simplex: readonly Vertex[],
  worst: Vertex,
  told: (point: readonly number[]) => Vertex,
): Vertex | undefined {
  const others = simplex.slice(0, -1);
  const middle = worst.point.map(
    (_, axis) => others.reduce((sum, { point }) => sum + (point[axis] ?? 0), 0) / others.length,
  );
  const along = (share: number): Vertex =>
    told(middle.map((x, axis) => x + share * (x - (worst.point[axis] ?? 0))));
  const reflected = along(1);
  const [best, second] = [others[0]?.value ?? 0, others.at(-1)?.value ?? 0];
  if (reflected.value < best) {
    const expanded = along(2);
    return expanded.value < reflected.value ? expanded : reflected;
  }
  if (reflected.value < second) {
    return reflected;
  }
  const contracted = reflected.value < worst.value ? along(0.5) : along(-0.5);
  return contracted.value < Math.min(reflected.value, worst.value) ? contracted : undefined;
}
