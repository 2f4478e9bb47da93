// The method of ggml's silu, written afresh: x / (1 + e^-x), with the exponential that Arm published
// in its optimized routines: e^x = 2^n e^b with |b| <= ln 2 / 2, n found by adding 1.5 * 2^23, and a
// polynomial of degree 5. Vectors that hold anything whose 2^n is no normal number go another way.
// link:
#include <cmath>
#include <cstdint>

#include "peer.hpp"

#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#else
constexpr int WIDTH = 8;
#endif
typedef float Floats __attribute__((vector_size(4 * WIDTH)));
typedef int32_t Ints __attribute__((vector_size(4 * WIDTH)));

static inline void silu(const float *from, float *to) {
    Floats x;
    std::memcpy(&x, from, sizeof x);
    const Floats shifted = -x * 0x1.715476p+0f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    const Floats b = (-x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    const Ints power = (Ints)shifted << 23;
    const Floats scale = (Floats)(power + 0x3f800000), square = b * b;
    const Floats high = (0x1.0e4020p-7f * b + 0x1.573e2ep-5f) * square +
                        (0x1.555e66p-3f * b + 0x1.fffdb6p-2f);
    const Floats result = x / (1 + (scale + scale * (0x1.ffffecp-1f * b + high * square)));
    const Ints wide = (n > 126) | (n < -126);
    int any = 0;
    for (int i = 0; i < WIDTH; ++i) any |= wide[i];
    std::memcpy(to, &result, sizeof result);
    if (__builtin_expect(any, 0))
        for (int i = 0; i < WIDTH; ++i) to[i] = from[i] / (1 + std::exp(-from[i]));
}

static const Function TABLE[] = {{"silu", nullptr, loop<WIDTH, float, silu>},
                                 {nullptr, nullptr, nullptr}};

void *peer_prepare(const char *function, int is_double, long n, int threads) {
    return find(TABLE, function, is_double, n, threads);
}
void peer_run(void *call, const void *x, void *y) { run(call, x, y); }
const char *peer_version() { return "its method"; }
