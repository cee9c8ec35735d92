const [BETA_1, BETA_2, EPSILON] = [0.9, 0.999, 1e-7];

/** Moves parameters, in place, against their gradients. */
export interface Optimizer {
  /** A step at this rate; of what `isDecayed` says, `decay` of itself is taken off besides. */
  step(gradients: readonly Float32Array[], rate: number, decay: number): void;
}

/**
 * Adam (Kingma & Ba 2015) with decoupled weight decay (AdamW, Loshchilov & Hutter 2019), on plain arrays: the gradients
 * come in the order and the lengths of `parameters`.
 */
export function openAdamW(
  parameters: readonly Float32Array[],
  isDecayed: readonly boolean[],
): Optimizer {
  const first = parameters.map(({ length }) => new Float32Array(length));
  const second = parameters.map(({ length }) => new Float32Array(length));
  let steps = 0;
  return {
    step(gradients, rate, decay) {
      steps++;
      const firstScale = rate / (1 - BETA_1 ** steps);
      const secondScale = 1 / (1 - BETA_2 ** steps);
      parameters.forEach((values, index) => {
        const kept = isDecayed[index] === true ? 1 - decay : 1;
        const [gradient, m, v] = [gradients[index], first[index], second[index]];
        if (gradient?.length !== values.length || m === undefined || v === undefined) {
          throw new Error(`gradient ${index}: expected ${values.length} numbers`);
        }
        move(values, gradient, m, v, firstScale, secondScale, kept);
      });
    },
  };
}

function move(
  values: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  firstScale: number,
  secondScale: number,
  kept: number,
): void {
  for (let at = 0; at < values.length; at++) {
    const partial = gradient[at] ?? 0;
    const mean = BETA_1 * (first[at] ?? 0) + (1 - BETA_1) * partial;
    const square = BETA_2 * (second[at] ?? 0) + (1 - BETA_2) * partial * partial;
    first[at] = mean;
    second[at] = square;
    const step = (firstScale * mean) / (Math.sqrt(square * secondScale) + EPSILON);
    values[at] = ((values[at] ?? 0) - step) * kept;
  }
}
