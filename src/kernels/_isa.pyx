# cython: language_level=3, freethreading_compatible=True
"""What this build holds, which instruction sets the processor has, and how fast it waits."""
# Design: a module of its own, built for any processor, so that no kernels module is ever loaded
# to find out that it must not be, or what must be set before.

cdef extern from *:
    """
    #include <string.h>
    #if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
    #include <cpuid.h>
    #define S3S4_HAS(feature) (__builtin_cpu_supports(feature) != 0)
    /* Not every compiler's __builtin_cpu_supports knows this one. */
    static int s3s4_has_f16c(void) {
        unsigned a, b, c, d;
        return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    }
    static int s3s4_has_avx2(void) {
        return S3S4_HAS("avx2") && S3S4_HAS("fma") && s3s4_has_f16c();
    }
    static int s3s4_has_avx512(void) {
        return s3s4_has_avx2() && S3S4_HAS("avx512f") && S3S4_HAS("avx512bw") &&
               S3S4_HAS("avx512dq") && S3S4_HAS("avx512vl");
    }
    /* 48 bytes of text, padded with blanks or zeros. */
    static void s3s4_brand(char *text) {
        unsigned part, words[12] = {0};
        for (part = 0; part < 3; part++) {
            unsigned *word = words + 4 * part;
            __get_cpuid(0x80000002u + part, word, word + 1, word + 2, word + 3);
        }
        memcpy(text, words, sizeof words);
    }
    #else
    static int s3s4_has_avx2(void) { return 0; }
    static int s3s4_has_avx512(void) { return 0; }
    static void s3s4_brand(char *text) { memset(text, 0, 48); }
    #endif

    #include <time.h>
    static double s3s4_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    /* The seconds that libgomp takes to look once whether it has waited enough. */
    static double s3s4_seconds_of_a_spin(void) {
        enum { SPINS = 500 };
        double shortest = 1.0;
        volatile int awaited = 0;
        for (int attempt = 0; attempt < 3; attempt++) {
            const double start = s3s4_seconds();
            for (int i = 0; i < SPINS && !awaited; i++) {
    #if defined(__x86_64__) || defined(__i386__)
                __builtin_ia32_pause();
    #endif
            }
            const double taken = (s3s4_seconds() - start) / SPINS;
            if (taken < shortest) shortest = taken;
        }
        return shortest;
    }
    """
    const char *VARIANTS "S3S4_VARIANTS"
    const char *VERSION "S3S4_VERSION"
    bint has_avx2 "s3s4_has_avx2"()
    bint has_avx512 "s3s4_has_avx512"()
    void brand "s3s4_brand"(char *text)
    double seconds_of_a_spin_ "s3s4_seconds_of_a_spin"()


def supported():
    """The variants beyond the plainest that this processor can run, as a set of names."""
    return {name for name, has in (("avx512", has_avx512()), ("avx2", has_avx2())) if has}


def built():
    """The variants of this build, best first."""
    return tuple(VARIANTS.decode().split(","))


def processor():
    """What the processor calls itself, asked of itself: no file, no process. Empty if it cannot."""
    cdef char[48] text
    brand(text)
    return text[:48].decode("ascii", "replace").strip("\0 ")


def seconds_of_a_spin():
    """How long one turn of a loop takes in which a thread waits for another."""
    return seconds_of_a_spin_()


version = VERSION.decode()
