// How many cycles this processor makes in a second: a chain of additions takes one each.
// link:
#include <chrono>

extern "C" double cycles_a_second() {
    double best = 0;
    for (int turn = 0; turn < 20; ++turn) {
        const long steps = 2000000;
        const auto start = std::chrono::steady_clock::now();
        long sum = 0;
        for (long i = 0; i < steps; ++i) asm volatile("add $1, %0" : "+r"(sum));
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
        const double rate = steps / passed.count();
        best = rate > best ? rate : best;
    }
    return best;
}
