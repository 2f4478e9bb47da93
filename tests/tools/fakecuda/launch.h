/* launch.h: what a kernel is handed by the memory it runs on (device.c). */
#ifndef FAKECUDA_LAUNCH_H
#define FAKECUDA_LAUNCH_H

#include <stdint.h>

typedef struct {
    uint32_t x, y, z;
} Dim;

enum { READ, WRITE };

typedef struct {
    Dim grid, block;
    void **parameters;
    uint32_t number;    /* of launches before this one, and this one */
    int approximation_off; /* 1 or -1: approximations err by all that NVIDIA allows */
    /* The bytes behind an address of the device, after all checks. */
    char *(*access)(uint64_t address, int size, int how, uint32_t thread, uint32_t launch);
    void (*complain)(const char *what, uint64_t address, int size, uint32_t thread);
} Launch;

#endif
