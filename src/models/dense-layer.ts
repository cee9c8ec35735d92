/** A dense layer as plain numbers: kernel is inputs × units, row-major. */
export interface DenseLayer {
  readonly inputs: number;
  readonly units: number;
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}
