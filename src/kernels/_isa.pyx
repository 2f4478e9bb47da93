# cython: language_level=3, freethreading_compatible=True
"""What this build holds, which instruction sets the processor has, and how fast it waits."""
# Design: a module of its own, built for any processor, so that no kernels module is ever loaded
# to find out that it must not be, or what must be set before.

cdef extern from *:
    """
    #include <string.h>
    #include "clock.h"
    #if defined(__x86_64__) || defined(_M_X64)
    #include <cpuid.h>
    /* What the processor has counts where the system saves its registers: vectors of 256 bits, and
     * those of 512 with their masks. No compiler's library is asked: not each links one. */
    enum { SAVES_256 = 0x06, SAVES_512 = 0xe6 };
    static int s3s4_saves(unsigned registers) {
        unsigned a, b, c, d;
        if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
        __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
        return (a & registers) == registers;
    }
    static int s3s4_has_avx2(void) {
        const unsigned first = bit_AVX | bit_FMA | bit_F16C;
        unsigned a, b, c, d;
        return s3s4_saves(SAVES_256) && __get_cpuid(1, &a, &b, &c, &d) && (c & first) == first &&
               __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
    }
    static int s3s4_has_avx512(void) {
        const unsigned all = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
        unsigned a, b, c, d;
        return s3s4_has_avx2() && s3s4_saves(SAVES_512) &&
               __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & all) == all;
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

    /* The seconds that libgomp takes to look once whether it has waited enough. */
    static double s3s4_seconds_of_a_spin(void) {
        enum { SPINS = 500 };
        double shortest = 1.0;
        volatile int awaited = 0;
        for (int attempt = 0; attempt < 3; attempt++) {
            const int64_t start = s3s4_now();
            for (int i = 0; i < SPINS && !awaited; i++) {
    #if defined(__x86_64__) || defined(__i386__)
                __builtin_ia32_pause();
    #endif
            }
            const double taken = 1e-9 * (double)(s3s4_now() - start) / SPINS;
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
