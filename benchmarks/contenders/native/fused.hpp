// S4 with k = 5, and S4', of vectors V, from a library's exponential: one pass, as whoever has that
// library would write it. V has + - * /, and `exp`, `magnitude` and `choose` are given for it.
// `choose(x, a, b)` is a where x >= 0 and b elsewhere.

template <class V> inline V s4(V x) {
    const V one = constant<V>(1), u = magnitude(x);
    const V e = exp(-u), f = exp(constant<V>(-5) * u), c = one + u, p = c + c * e;
    const V right = f * c + (u * e + u), left = u * (e - f - e * f) + e;
    return choose(x, right, left) / (p + p * f);
}

template <class V> inline V s4_dx(V x) {
    const V one = constant<V>(1), u = magnitude(x);
    const V e = exp(-u), f = exp(constant<V>(-5) * u);
    const V p = one / (one + e), q = one / (one + f), r = one / (one + u);
    const V s = choose(x, p, e * p), t = choose(x, e * p, p);
    const V a = choose(x, q, f * q), b = choose(x, f * q, q);
    return constant<V>(5) * a * b * (x * r - s) + a * r * r + b * s * t;
}

template <class V> inline V sigmoid(V x) {
    const V one = constant<V>(1);
    return one / (one + exp(-x));
}

template <class V> inline V silu(V x) { return x / (constant<V>(1) + exp(-x)); }
