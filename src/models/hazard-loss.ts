import type { DenseLayer } from "./dense-layer.ts";

/**
 * Rows of a batch: what the input layer is given, what happened (the row's weight in the interval of the event) and which
 * intervals were at risk and seen (the weight in each); rows × the layer's width, and rows × intervals twice, row-major.
 */
export interface HazardBatch {
  readonly rows: number;
  readonly given: Float32Array;
  readonly happened: Float32Array;
  readonly atRisk: Float32Array;
}

/** The loss of a batch, in nats, a mean over its rows, and how it changes with each kernel and bias, in their order. */
export interface LossAndGradients {
  readonly loss: number;
  readonly gradients: readonly Float32Array[];
}

/** Takes the gradient of the censored likelihood of discrete hazards by the numbers of some layers, until closed. */
export interface HazardGradient {
  /** By the layers' numbers as they are now; ReLU between the layers. Not called again before it answered. */
  of(batch: HazardBatch): Promise<LossAndGradients>;
  close(): Promise<void>;
}

/** The kernels and biases of layers, one after the other. */
export function parametersOf(layers: readonly DenseLayer[]): Float32Array[] {
  return layers.flatMap(({ kernel, bias }) => [kernel, bias]);
}
