// oneDNN's elementwise primitives in float32.
// link: dnnl
#include <cstdio>
#include <oneapi/dnnl/dnnl.hpp>

#include "peer.hpp"

extern "C" {
void omp_set_num_threads(int);
int omp_get_max_threads();
}

using namespace dnnl;

struct Primitive {
    primitive p;
    memory::desc shape;
    int threads;
};

struct Named {
    const char *name;
    algorithm a;
    float alpha, beta;
};
static const Named TABLE[] = {
    {"sigmoid", algorithm::eltwise_logistic, 0, 0},
    {"tanh", algorithm::eltwise_tanh, 0, 0},
    {"gelu", algorithm::eltwise_gelu_erf, 0, 0},
    {"gelu_tanh", algorithm::eltwise_gelu_tanh, 0, 0},
    {"silu", algorithm::eltwise_swish, 1, 0},
    {"mish", algorithm::eltwise_mish, 0, 0},
    {"elu", algorithm::eltwise_elu, 1, 0},
    {"hardswish", algorithm::eltwise_hardswish, 1.0f / 6, 0.5f},
    {"relu", algorithm::eltwise_relu, 0, 0},
};

static engine &cpu() {
    static engine made(engine::kind::cpu, 0);
    return made;
}

static Primitive *prepare(const Named &f, long n, int threads) {
    const memory::desc shape({n}, memory::data_type::f32, memory::format_tag::a);
    const prop_kind kind = prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR < 3
    const eltwise_forward::desc wanted(kind, f.a, shape, f.alpha, f.beta);
    const eltwise_forward::primitive_desc made(wanted, cpu());
#else
    const eltwise_forward::primitive_desc made(cpu(), kind, f.a, shape, shape, f.alpha, f.beta);
#endif
    return new Primitive{eltwise_forward(made), shape, threads};
}

// Its threads are those of OpenMP, of which it has no number of its own.
struct Held {
    int before = omp_get_max_threads();
    explicit Held(int threads) { omp_set_num_threads(threads); }
    ~Held() { omp_set_num_threads(before); }
};

void *peer_prepare(const char *function, int is_double, long n, int threads) {
    const Held held(threads);
    for (const Named &f : TABLE)
        if (!is_double && !std::strcmp(f.name, function)) try {
                return prepare(f, n, threads);
            } catch (const error &) {
                return nullptr;
            }
    return nullptr;
}

void peer_run(void *call, const void *x, void *y) {
    Primitive &f = *static_cast<Primitive *>(call);
    static stream order(cpu());
    const Held held(f.threads);
    f.p.execute(order, {{DNNL_ARG_SRC, memory(f.shape, cpu(), const_cast<void *>(x))},
                        {DNNL_ARG_DST, memory(f.shape, cpu(), y)}});
    order.wait();
}

const char *peer_version() {
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    std::snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}
