// What the formulas in src/formulas are made of, for one number.

const SMALLEST_NORMAL = 2 ** -1022;
const SCALE = 2 ** 64;
const HUGE = 1e300;

// Results below the smallest normal number are 0, as in the kernels.
const normal = (y) => (Math.abs(y) < SMALLEST_NORMAL ? 0 : y);

// 2^64 e^-t: above 700 the exponential alone would be subnormal where 2^64 times it is not.
const scaledExp = (t) => normal(t > 700 ? Math.exp(64 * Math.LN2 - t) : Math.exp(-t) * SCALE);

export const primitives = {
  abs(u) {
    return Math.abs(u);
  },
  copysign(u, x) {
    return x < 0 || Object.is(x, -0) ? -Math.abs(u) : Math.abs(u);
  },
  finite(u) {
    return u > HUGE ? HUGE : u;
  },
  unless_nan(y, x) {
    return Number.isNaN(x) ? x : y;
  },
  unscaled(y) {
    return normal(y / SCALE);
  },
  within_exp(u) {
    return u > 745 ? 745 : u;
  },
  within_normal(u) {
    return u > 38.6 ? 38.6 : u;
  },
  unscaled_product(k, y) {
    return (k / SCALE) * y;
  },
  exp_neg(u) {
    return normal(Math.exp(-u));
  },
  exp_neg_product(k, u) {
    return normal(Math.exp(-(k * u)));
  },
  scaled_exp_neg(u) {
    return scaledExp(u);
  },
  scaled_exp_neg_half_square(u) {
    return scaledExp((u * u) / 2);
  },
  scaled_exp_neg_product(k, u) {
    return scaledExp(k * u);
  },
  expm1_neg(u) {
    return Math.expm1(-u);
  },
  log1p(t) {
    return Math.log1p(t);
  },
  log1p_any(t) {
    return Math.log1p(t);
  },
  sqrt_square_plus(u, b) {
    return Math.abs(u) > 1e150 ? Math.abs(u) : Math.sqrt(u * u + b);
  },
  sinc_product(k, u) {
    const t = k * u;
    if (t === 0) return 1;
    return Math.abs(t) > 1e15 ? 0 : Math.sin(t) / t;
  },
  tanh_rest(u) {
    // (u - tanh u) / u^3: Taylor's series where the difference would cancel.
    if (u > 0.3) return (Math.min(u, 1) - Math.tanh(Math.min(u, 1))) / Math.min(u, 1) ** 3;
    const q = u * u;
    const series = [1 / 3, 2 / 15, 17 / 315, 62 / 2835, 1382 / 155925, 21844 / 6081075,
      929569 / 638512875];
    return series.reduceRight((rest, c) => c - q * rest, 0);
  },
  normal_tail(u) {
    // e^(u^2/2) Phi(-u): a series of positive terms taken from 1/2 near 0, a continued fraction
    // (Laplace) beyond.
    const root = Math.sqrt(2 * Math.PI);
    if (!(u >= 2.5)) {
      let term = u, sum = u;
      for (let n = 1; n < 60; n++) {
        term *= (u * u) / (2 * n + 1);
        sum += term;
      }
      return Math.exp((u * u) / 2) / 2 - sum / root;
    }
    let fraction = 0;
    for (let n = 80; n > 0; n--) fraction = n / (u + fraction);
    return 1 / ((u + fraction) * root);
  },
};
