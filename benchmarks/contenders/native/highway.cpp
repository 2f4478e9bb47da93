// Highway: the exponential and tanh of its contrib/math, by the vector that this processor has.
// link: hwy
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>

#include "peer.hpp"

namespace hn = hwy::HWY_NAMESPACE;
using DoubleTag = hn::ScalableTag<double>;
using FloatTag = hn::ScalableTag<float>;

// A vector with operators, which those of Highway have on some processors only.
template <class D> struct Vector {
    hn::Vec<D> v;
};
template <class D> inline Vector<D> operator+(Vector<D> a, Vector<D> b) {
    return {hn::Add(a.v, b.v)};
}
template <class D> inline Vector<D> operator-(Vector<D> a, Vector<D> b) {
    return {hn::Sub(a.v, b.v)};
}
template <class D> inline Vector<D> operator*(Vector<D> a, Vector<D> b) {
    return {hn::Mul(a.v, b.v)};
}
template <class D> inline Vector<D> operator/(Vector<D> a, Vector<D> b) {
    return {hn::Div(a.v, b.v)};
}
template <class D> inline Vector<D> operator-(Vector<D> a) { return {hn::Neg(a.v)}; }

using Doubles = Vector<DoubleTag>;
using Floats = Vector<FloatTag>;
template <class V> V constant(double value);
template <> inline Doubles constant<Doubles>(double value) {
    return {hn::Set(DoubleTag(), value)};
}
template <> inline Floats constant<Floats>(double value) {
    return {hn::Set(FloatTag(), float(value))};
}
template <class D> inline Vector<D> choose(Vector<D> x, Vector<D> a, Vector<D> b) {
    return {hn::IfThenElse(hn::Ge(x.v, hn::Zero(D())), a.v, b.v)};
}
template <class D> inline Vector<D> magnitude(Vector<D> x) { return {hn::Abs(x.v)}; }
template <class D> inline Vector<D> exp(Vector<D> x) { return {hn::Exp(D(), x.v)}; }

#include "fused.hpp"

template <class D> inline Vector<D> tanh(Vector<D> x) { return {hn::Tanh(D(), x.v)}; }

template <class D, class T, Vector<D> f(Vector<D>)> void one(const T *x, T *y) {
    hn::StoreU(f({hn::LoadU(D(), x)}).v, D(), y);
}

#define FUNCTION(name)                                                                   \
    {                                                                                    \
        #name, loop<HWY_LANES(double), double, one<DoubleTag, double, name>>,            \
            loop<HWY_LANES(float), float, one<FloatTag, float, name>>                    \
    }
static const Function TABLE[] = {FUNCTION(s4),   FUNCTION(s4_dx), FUNCTION(sigmoid),
                                 FUNCTION(silu), FUNCTION(tanh),  {nullptr, nullptr, nullptr}};

void *peer_prepare(const char *function, int is_double, long n, int threads) {
    return find(TABLE, function, is_double, n, threads);
}
void peer_run(void *call, const void *x, void *y) { run(call, x, y); }
#define TEXT(x) #x
#define AS_TEXT(x) TEXT(x)
const char *peer_version() {
    return AS_TEXT(HWY_MAJOR) "." AS_TEXT(HWY_MINOR) "." AS_TEXT(HWY_PATCH);
}
