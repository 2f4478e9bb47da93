// SLEEF: its exponential, tanh and erf of one vector, at most 1 ULP from the right result.
// link: sleef
#include <immintrin.h>
#include <sleef.h>

#include "peer.hpp"

#if defined(__AVX512F__)
#define OF_DOUBLE(name) Sleef_##name##d8_u10avx512f
#define OF_FLOAT(name) Sleef_##name##f16_u10avx512f
#define OF_FLOAT_35(name) Sleef_##name##f16_u35avx512f
constexpr int BYTES = 64;
#elif defined(__AVX2__)
#define OF_DOUBLE(name) Sleef_##name##d4_u10avx2
#define OF_FLOAT(name) Sleef_##name##f8_u10avx2
#define OF_FLOAT_35(name) Sleef_##name##f8_u35avx2
constexpr int BYTES = 32;
#else
#error "written for AVX2 and AVX-512"
#endif

typedef double Doubles __attribute__((vector_size(BYTES)));
typedef float Floats __attribute__((vector_size(BYTES)));

template <class V> V constant(double value);
template <> inline Doubles constant<Doubles>(double value) { return Doubles{} + value; }
template <> inline Floats constant<Floats>(double value) { return Floats{} + float(value); }
template <class V> inline V choose(V x, V a, V b) { return x >= 0 ? a : b; }
template <class V> inline V magnitude(V x) { return x < 0 ? -x : x; }
inline Doubles exp(Doubles x) { return OF_DOUBLE(exp)(x); }
inline Floats exp(Floats x) { return OF_FLOAT(exp)(x); }
inline Doubles erf(Doubles x) { return OF_DOUBLE(erf)(x); }
inline Floats erf(Floats x) { return OF_FLOAT(erf)(x); }

#include "fused.hpp"

inline Doubles tanh(Doubles x) { return OF_DOUBLE(tanh)(x); }
inline Floats tanh(Floats x) { return OF_FLOAT(tanh)(x); }
template <class V> inline V gelu(V x) {
    return constant<V>(0.5) * x *
           (constant<V>(1) + erf(constant<V>(0.70710678118654752440) * x));
}

template <class V, class T, V f(V)> void one(const T *x, T *y) {
    V v;
    std::memcpy(&v, x, BYTES);
    v = f(v);
    std::memcpy(y, &v, BYTES);
}

#define FUNCTION(name)                                                        \
    {                                                                         \
        #name, loop<BYTES / 8, double, one<Doubles, double, name>>,           \
            loop<BYTES / 4, float, one<Floats, float, name>>                  \
    }
static const Function TABLE[] = {FUNCTION(s4),   FUNCTION(s4_dx), FUNCTION(sigmoid),
                                 FUNCTION(silu), FUNCTION(tanh),  FUNCTION(gelu),
                                 {nullptr, nullptr, nullptr}};

void *peer_prepare(const char *function, int is_double, long n, int threads) {
    return find(TABLE, function, is_double, n, threads);
}
void peer_run(void *call, const void *x, void *y) { run(call, x, y); }
#define TEXT(x) #x
#define AS_TEXT(x) TEXT(x)
const char *peer_version() {
    return AS_TEXT(SLEEF_VERSION_MAJOR) "." AS_TEXT(SLEEF_VERSION_MINOR) "." AS_TEXT(
        SLEEF_VERSION_PATCHLEVEL);
}
