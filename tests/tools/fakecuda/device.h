/* device.h: the memory of GPUs that are not there (device.c). */
#ifndef FAKECUDA_DEVICE_H
#define FAKECUDA_DEVICE_H

#include "launch.h"

typedef struct {
    uint64_t start, size;
    int is_alive, is_managed, device;
} Block;

/* The block that an address lies in, alive or freed. */
Block *find(uint64_t address);
uint64_t start_of(const Block *block);
void complain(const char *what, uint64_t address, int size, uint32_t thread);

uint64_t fake_allocate(uint64_t size, int device);
void *fake_allocate_managed(uint64_t size, int device);
int fake_free(uint64_t address);
void fake_write(uint64_t address, const void *from, uint64_t size);
void fake_read(void *to, uint64_t address, uint64_t size);
void fake_move(uint64_t to, uint64_t from, uint64_t size);
/* The low bytes of a value, as many as its width says, count times. */
void fake_fill(uint64_t address, uint32_t value, int width, uint64_t count);
void fake_launch(void (*kernel)(const Launch *), const Dim *grid, const Dim *block,
                 void **parameters, int approximation_off, int device);

#endif
