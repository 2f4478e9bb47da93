/* S4 and its derivative without Python: one number at a time, and in blocks.
 *
 *     cc -std=c99 -O3 -fno-math-errno -fno-trapping-math $(s3s4 --cflags) neuron.c -lm
 */
#include <stdio.h>

#include "s3s4.h"

#define N 1024 /* a multiple of 16 */

int main(void) {
    static float x[N], value[N], slope[N];
    const float k = 5.0f;
    const float *in[] = {x, &k};
    float *out[] = {value, slope};
    int i;

    for (i = 0; i < N; i++) x[i] = (float)i / 64 - 8;
    s3s4_s4_value_dx_uniform_f32(N, in, out);

    for (i = 0; i < N; i += 128)
        printf("%g %.9g %.9g %.17g\n", x[i], value[i], slope[i], s3s4_s4_f64(x[i], 5.0));
    return 0;
}
