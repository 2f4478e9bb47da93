/* clock.h: a clock that never goes back. */
#ifndef S3S4_CLOCK_H
#define S3S4_CLOCK_H

#include <stdint.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

/* Nanoseconds. */
static int64_t s3s4_now(void) {
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    const int64_t second = 1000000000, whole = ticks.QuadPart / frequency.QuadPart;
    return whole * second + ticks.QuadPart % frequency.QuadPart * second / frequency.QuadPart;
}
#else
#include <time.h>

/* Nanoseconds. */
static int64_t s3s4_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}
#endif

#endif
