import { expect } from "chai";
import { openAdamW } from "../../src/models/adam-w.ts";
import { loadTensorBackend } from "../../src/models/tensor-backend.ts";

describe("models/adam-w", () => {
  it("steps as TensorFlow.js' Adam does, and takes its decay off afterwards", async () => {
    const { tf } = await loadTensorBackend();
    const start = [0.5, -2, 0.001, 3];
    const gradientAt = (step: number): number[] =>
      start.map((_, index) => Math.sin(7 * step + index) * 10 ** (index - 2));
    const variable = tf.variable(tf.tensor1d(start), true, "adam-w-test");
    const adam = tf.train.adam(0.01);
    const own = Float32Array.from(start);
    const kept = Float32Array.from(start);
    const last = Float64Array.from(start);
    const optimizer = openAdamW([own, kept], [true, false]);
    for (let step = 0; step < 20; step++) {
      const gradient = gradientAt(step);
      const rate = 0.01 / (1 + step);
      (adam as unknown as { learningRate: number }).learningRate = rate;
      const tensor = tf.tensor1d(gradient);
      adam.applyGradients([{ name: variable.name, tensor }]);
      tensor.dispose();
      const before = Float64Array.from(variable.dataSync());
      const slope = Float32Array.from(gradient);
      const undecayed = Float64Array.from(own);
      optimizer.step([slope, slope], rate, 0.1);
      before.forEach((value, index) => {
        expect(kept[index]).to.be.closeTo(value, 2e-6 * Math.max(1, Math.abs(value)));
        const move = (kept[index] ?? 0) - (last[index] ?? 0);
        expect(own[index]).to.be.closeTo(0.9 * ((undecayed[index] ?? 0) + move), 1e-6);
      });
      last.set(kept);
    }
    variable.dispose();
    adam.dispose();
  });

  it("refuses gradients of another shape", () => {
    const optimizer = openAdamW([new Float32Array(2)], [false]);
    expect(() => {
      optimizer.step([new Float32Array(3)], 0.1, 0);
    }).to.throw("expected 2 numbers");
  });
});
