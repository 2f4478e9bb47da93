// What each peer in C++ gives to native.py, and the loop of those that are functions of one vector.
#include <cstring>

extern "C" {
// A call of a function by its name, float64 or float32, of n elements; null if there is none.
void *peer_prepare(const char *function, int is_double, long n, int threads);
void peer_run(void *call, const void *x, void *y);
const char *peer_version();
}

// Elements a thread takes at once: two such arrays of float64 fit the second-level cache.
constexpr long PIECE = 1 << 14;

// Applies `one`, which takes WIDTH elements, to n of them; the rest in a vector of their own.
template <int WIDTH, class T, void one(const T *, T *)> void loop(long n, const T *x, T *y) {
    long i = 0;
    for (; i + WIDTH <= n; i += WIDTH) one(x + i, y + i);
    if (i == n) return;
    T in[WIDTH] = {}, out[WIDTH];
    std::memcpy(in, x + i, (n - i) * sizeof(T));
    one(in, out);
    std::memcpy(y + i, out, (n - i) * sizeof(T));
}

struct Call {
    void (*of_double)(long, const double *, double *);
    void (*of_float)(long, const float *, float *);
    long n;
    int threads;
};

template <class T>
void pieces(void f(long, const T *, T *), const Call &call, const void *x, void *y) {
    const T *from = static_cast<const T *>(x);
    T *to = static_cast<T *>(y);
    if (call.threads < 2 || call.n <= PIECE) return f(call.n, from, to);
#pragma omp parallel for num_threads(call.threads) schedule(static)
    for (long start = 0; start < call.n; start += PIECE)
        f(call.n - start < PIECE ? call.n - start : PIECE, from + start, to + start);
}

// The functions of a peer by name: a table that ends with a null name.
struct Function {
    const char *name;
    void (*of_double)(long, const double *, double *);
    void (*of_float)(long, const float *, float *);
};

inline void *find(const Function *table, const char *name, int is_double, long n, int threads) {
    for (; table->name; ++table)
        if (!std::strcmp(table->name, name) && (is_double ? !!table->of_double : !!table->of_float))
            return new Call{is_double ? table->of_double : nullptr,
                            is_double ? nullptr : table->of_float, n, threads};
    return nullptr;
}

inline void run(const void *handle, const void *x, void *y) {
    const Call &call = *static_cast<const Call *>(handle);
    if (call.of_double) pieces<double>(call.of_double, call, x, y);
    else pieces<float>(call.of_float, call, x, y);
}
