/* polynomials.h: the polynomials of the primitives, minimax in relative error, as
 * src/formulas/remez.py prints them. */
#ifndef S3S4_POLYNOMIALS_H
#define S3S4_POLYNOMIALS_H

/* 2^f for |f| <= 1/2. */
S3S4_INLINE float s3s4_exp2_fraction_f32(float f) {
    float p = 0x1.486064p-13f;
    p = s3s4_fma_f32(p, f, 0x1.5fe1a6p-10f);
    p = s3s4_fma_f32(p, f, 0x1.3b250cp-7f);
    p = s3s4_fma_f32(p, f, 0x1.c6ad6ep-5f);
    p = s3s4_fma_f32(p, f, 0x1.ebfbe6p-3f);
    p = s3s4_fma_f32(p, f, 0x1.62e432p-1f);
    p = s3s4_fma_f32(p, f, 1.0f);
    return p;
}
S3S4_INLINE double s3s4_exp2_fraction_f64(double f) {
    double p = 0x1.bdec58357517fp-32;
    p = s3s4_fma_f64(p, f, 0x1.e60af7eed4cf7p-28);
    p = s3s4_fma_f64(p, f, 0x1.b5433fe79b782p-24);
    p = s3s4_fma_f64(p, f, 0x1.62bfd21e8c97cp-20);
    p = s3s4_fma_f64(p, f, 0x1.ffcbed3be1549p-17);
    p = s3s4_fma_f64(p, f, 0x1.4309130a33665p-13);
    p = s3s4_fma_f64(p, f, 0x1.5d87fe7bf7cb6p-10);
    p = s3s4_fma_f64(p, f, 0x1.3b2ab6fba1afap-7);
    p = s3s4_fma_f64(p, f, 0x1.c6b08d7048dc4p-5);
    p = s3s4_fma_f64(p, f, 0x1.ebfbdff82c599p-3);
    p = s3s4_fma_f64(p, f, 0x1.62e42fefa39f3p-1);
    p = s3s4_fma_f64(p, f, 1.0);
    return p;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2. */
S3S4_INLINE float s3s4_exp_rest_f32(float r) {
    float p = 0x1.6ac6p-10f;
    p = s3s4_fma_f32(p, r, 0x1.123db4p-7f);
    p = s3s4_fma_f32(p, r, 0x1.55585ap-5f);
    p = s3s4_fma_f32(p, r, 0x1.55548cp-3f);
    p = s3s4_fma_f32(p, r, 0x1.fffffcp-2f);
    return p;
}
S3S4_INLINE double s3s4_exp_rest_f64(double r) {
    double p = 0x1.adcfa4239fbcfp-26;
    p = s3s4_fma_f64(p, r, 0x1.28b0261dade7p-22);
    p = s3s4_fma_f64(p, r, 0x1.71def5efcbb2p-19);
    p = s3s4_fma_f64(p, r, 0x1.a0199786ea201p-16);
    p = s3s4_fma_f64(p, r, 0x1.a01a0140ee32cp-13);
    p = s3s4_fma_f64(p, r, 0x1.6c16c184ee378p-10);
    p = s3s4_fma_f64(p, r, 0x1.111111112276fp-7);
    p = s3s4_fma_f64(p, r, 0x1.55555555505b3p-5);
    p = s3s4_fma_f64(p, r, 0x1.5555555555519p-3);
    p = s3s4_fma_f64(p, r, 0x1.000000000000ap-1);
    return p;
}

/* The same, for the relative error of e^r - 1. */
S3S4_INLINE float s3s4_expm1_rest_f32(float r) {
    float p = 0x1.9fbe3cp-13f;
    p = s3s4_fma_f32(p, r, 0x1.6d406cp-10f);
    p = s3s4_fma_f32(p, r, 0x1.1111cap-7f);
    p = s3s4_fma_f32(p, r, 0x1.5554f2p-5f);
    p = s3s4_fma_f32(p, r, 0x1.555554p-3f);
    p = s3s4_fma_f32(p, r, 0x1p-1f);
    return p;
}
S3S4_INLINE double s3s4_expm1_rest_f64(double r) {
    double p = 0x1.b048403773e9p-26;
    p = s3s4_fma_f64(p, r, 0x1.28a9439ad04fp-22);
    p = s3s4_fma_f64(p, r, 0x1.71dd85d4e9a55p-19);
    p = s3s4_fma_f64(p, r, 0x1.a019a00386039p-16);
    p = s3s4_fma_f64(p, r, 0x1.a01a01d4738dep-13);
    p = s3s4_fma_f64(p, r, 0x1.6c16c18153bdp-10);
    p = s3s4_fma_f64(p, r, 0x1.111111110b42p-7);
    p = s3s4_fma_f64(p, r, 0x1.55555555518fbp-5);
    p = s3s4_fma_f64(p, r, 0x1.555555555556p-3);
    p = s3s4_fma_f64(p, r, 0x1.0000000000006p-1);
    return p;
}

/* (atanh(s) / s - 1) / s^2 in w = s^2 <= 1/9. */
S3S4_INLINE float s3s4_atanh_rest_f32(float w) {
    float p = 0x1.1eb7dep-3f;
    p = s3s4_fma_f32(p, w, 0x1.1ec31ep-3f);
    p = s3s4_fma_f32(p, w, 0x1.99d1b2p-3f);
    p = s3s4_fma_f32(p, w, 0x1.555502p-2f);
    return p;
}
S3S4_INLINE double s3s4_atanh_rest_f64(double w) {
    double p = 0x1.5c7857eedfacbp-4;
    p = s3s4_fma_f64(p, w, 0x1.55b1be757e2e7p-5);
    p = s3s4_fma_f64(p, w, 0x1.efd82015867f3p-5);
    p = s3s4_fma_f64(p, w, 0x1.1067c7ec4ebffp-4);
    p = s3s4_fma_f64(p, w, 0x1.3b1ddb3c061c9p-4);
    p = s3s4_fma_f64(p, w, 0x1.745cb40275e27p-4);
    p = s3s4_fma_f64(p, w, 0x1.c71c741c640dp-4);
    p = s3s4_fma_f64(p, w, 0x1.249249208c72bp-3);
    p = s3s4_fma_f64(p, w, 0x1.99999999a074ep-3);
    p = s3s4_fma_f64(p, w, 0x1.5555555555535p-2);
    return p;
}

/* (u - tanh(u)) / u^3 in w = u^2 <= 1. */
S3S4_INLINE float s3s4_tanh_ratio_f32(float w) {
    float p = -0x1.b44b4ap-13f;
    p = s3s4_fma_f32(p, w, 0x1.2f696cp-10f);
    p = s3s4_fma_f32(p, w, -0x1.cfb6ecp-9f);
    p = s3s4_fma_f32(p, w, 0x1.24ac62p-7f);
    p = s3s4_fma_f32(p, w, -0x1.670e98p-6f);
    p = s3s4_fma_f32(p, w, 0x1.ba3128p-5f);
    p = s3s4_fma_f32(p, w, -0x1.11117cp-3f);
    p = s3s4_fma_f32(p, w, 0x1.555556p-2f);
    return p;
}
S3S4_INLINE double s3s4_tanh_ratio_f64(double w) {
    double p = -0x1.2754c2a5b095dp-26;
    p = s3s4_fma_f64(p, w, 0x1.b591577961464p-23);
    p = s3s4_fma_f64(p, w, -0x1.3c729356ad91cp-20);
    p = s3s4_fma_f64(p, w, 0x1.33d8b8b176ec1p-18);
    p = s3s4_fma_f64(p, w, -0x1.d855aa3e1dc4bp-17);
    p = s3s4_fma_f64(p, w, 0x1.3df2910cb71bep-15);
    p = s3s4_fma_f64(p, w, -0x1.93405c8a62991p-14);
    p = s3s4_fma_f64(p, w, 0x1.f4cfc8e38f1bdp-13);
    p = s3s4_fma_f64(p, w, -0x1.354ac8afeb2b7p-11);
    p = s3s4_fma_f64(p, w, 0x1.7da1ea54465e9p-10);
    p = s3s4_fma_f64(p, w, -0x1.d6d3b3df9d9e7p-9);
    p = s3s4_fma_f64(p, w, 0x1.226e34a2b1968p-7);
    p = s3s4_fma_f64(p, w, -0x1.664f487cfef9cp-6);
    p = s3s4_fma_f64(p, w, 0x1.ba1ba1ba03d11p-5);
    p = s3s4_fma_f64(p, w, -0x1.1111111110fd9p-3);
    p = s3s4_fma_f64(p, w, 0x1.5555555555555p-2);
    return p;
}
S3S4_INLINE long double s3s4_tanh_ratio_ld(long double w) {
    long double p = -3.339464823046842592396e-10L;
    p = s3s4_fma_ld(p, w, 4.163233071204296239885e-9L);
    p = s3s4_fma_ld(p, w, -2.571537929430170678877e-8L);
    p = s3s4_fma_ld(p, w, 1.072718288480169170992e-7L);
    p = s3s4_fma_ld(p, w, -3.500372219312844797876e-7L);
    p = s3s4_fma_ld(p, w, 9.846323073675160546874e-7L);
    p = s3s4_fma_ld(p, w, -0.000002558426138682911076601L);
    p = s3s4_fma_ld(p, w, 0.000006418153112143080644674L);
    p = s3s4_fma_ld(p, w, -0.00001590311287897265846213L);
    p = s3s4_fma_ld(p, w, 0.00003927247229378210874773L);
    p = s3s4_fma_ld(p, w, -0.00009691368888554901013537L);
    p = s3s4_fma_ld(p, w, 0.0002391287384939339954348L);
    p = s3s4_fma_ld(p, w, -0.0005900273779449019651649L);
    p = s3s4_fma_ld(p, w, 0.001455834379296965930949L);
    p = s3s4_fma_ld(p, w, -0.003592128035898386898977L);
    p = s3s4_fma_ld(p, w, 0.00886323552986307085338L);
    p = s3s4_fma_ld(p, w, -0.02186948853615381172201L);
    p = s3s4_fma_ld(p, w, 0.05396825396825394203384L);
    p = s3s4_fma_ld(p, w, -0.1333333333333333331364L);
    p = s3s4_fma_ld(p, w, 0.3333333333333333333424L);
    return p;
}

/* (u + K) e^(u^2/2) Phi(-u) in t = (u - K) / (u + K), with Phi the normal distribution's. */
S3S4_INLINE float s3s4_tail_ratio_f32(float t) {
    float p = -0x1.196dd6p-13f;
    p = s3s4_fma_f32(p, t, 0x1.6e493cp-13f);
    p = s3s4_fma_f32(p, t, 0x1.9b25fap-10f);
    p = s3s4_fma_f32(p, t, -0x1.cc1722p-9f);
    p = s3s4_fma_f32(p, t, -0x1.ed17d4p-8f);
    p = s3s4_fma_f32(p, t, 0x1.eed34cp-5f);
    p = s3s4_fma_f32(p, t, -0x1.7e001ep-3f);
    p = s3s4_fma_f32(p, t, 0x1.8c6d9ep-2f);
    p = s3s4_fma_f32(p, t, -0x1.373e38p-1f);
    p = s3s4_fma_f32(p, t, 0x1.82b4bcp-1f);
    return p;
}
S3S4_INLINE double s3s4_tail_ratio_f64(double t) {
    double p = -0x1.50eb851cbc3f6p-30;
    p = s3s4_fma_f64(p, t, -0x1.ba6aa767f40f6p-32);
    p = s3s4_fma_f64(p, t, 0x1.f8772d37f8c73p-27);
    p = s3s4_fma_f64(p, t, 0x1.17ae4fdad5cf9p-26);
    p = s3s4_fma_f64(p, t, -0x1.4bbb0b026ed02p-24);
    p = s3s4_fma_f64(p, t, -0x1.50ec12918c2fbp-23);
    p = s3s4_fma_f64(p, t, 0x1.1b95fe9102cf7p-22);
    p = s3s4_fma_f64(p, t, 0x1.125dece157bd7p-20);
    p = s3s4_fma_f64(p, t, -0x1.4fa1d4e5eb4bep-21);
    p = s3s4_fma_f64(p, t, -0x1.8d4b098de7735p-18);
    p = s3s4_fma_f64(p, t, 0x1.7fd43b22b162p-21);
    p = s3s4_fma_f64(p, t, 0x1.26d077a7a3565p-15);
    p = s3s4_fma_f64(p, t, -0x1.001097bc867abp-19);
    p = s3s4_fma_f64(p, t, -0x1.e4a422b69fdep-13);
    p = s3s4_fma_f64(p, t, 0x1.17a4a5a60f334p-13);
    p = s3s4_fma_f64(p, t, 0x1.ab825fb48244ep-10);
    p = s3s4_fma_f64(p, t, -0x1.c81719c8cebb4p-9);
    p = s3s4_fma_f64(p, t, -0x1.ee27610449a5cp-8);
    p = s3s4_fma_f64(p, t, 0x1.eec4cc3e43c57p-5);
    p = s3s4_fma_f64(p, t, -0x1.7dff2bff6844dp-3);
    p = s3s4_fma_f64(p, t, 0x1.8c6dbf2cfc30cp-2);
    p = s3s4_fma_f64(p, t, -0x1.373e3a893c28ap-1);
    p = s3s4_fma_f64(p, t, 0x1.82b4bb8c94dcep-1);
    return p;
}
S3S4_INLINE long double s3s4_tail_ratio_ld(long double t) {
    long double p = 1.090468979578237144557e-11L;
    p = s3s4_fma_ld(p, t, -1.376259725459495399051e-12L);
    p = s3s4_fma_ld(p, t, -8.132186842909569076513e-11L);
    p = s3s4_fma_ld(p, t, 6.033493404429740248119e-11L);
    p = s3s4_fma_ld(p, t, 3.458944328655492584708e-10L);
    p = s3s4_fma_ld(p, t, -6.837242481442321119536e-10L);
    p = s3s4_fma_ld(p, t, -1.339616526305830062472e-9L);
    p = s3s4_fma_ld(p, t, 5.57444721544142362718e-9L);
    p = s3s4_fma_ld(p, t, 4.678817961074232277146e-9L);
    p = s3s4_fma_ld(p, t, -4.244816795220655379484e-8L);
    p = s3s4_fma_ld(p, t, 4.491545544464712861427e-9L);
    p = s3s4_fma_ld(p, t, 3.084342016414011563053e-7L);
    p = s3s4_fma_ld(p, t, -4.27476444365737880429e-7L);
    p = s3s4_fma_ld(p, t, -0.000001797940671933935754902L);
    p = s3s4_fma_ld(p, t, 0.000006795494103198008696538L);
    p = s3s4_fma_ld(p, t, 0.000001074714823715044265554L);
    p = s3s4_fma_ld(p, t, -0.00006475176389346998513677L);
    p = s3s4_fma_ld(p, t, 0.0001813606835809736471701L);
    p = s3s4_fma_ld(p, t, 0.00003286997674031896236926L);
    p = s3s4_fma_ld(p, t, -0.00213160525923195390256L);
    p = s3s4_fma_ld(p, t, 0.01002982064561083994101L);
    p = s3s4_fma_ld(p, t, -0.03098531550224145359132L);
    p = s3s4_fma_ld(p, t, 0.07517191566855784175L);
    p = s3s4_fma_ld(p, t, -0.1526802320648106148774L);
    p = s3s4_fma_ld(p, t, 0.2679742458416723721202L);
    p = s3s4_fma_ld(p, t, -0.4139035857755819031113L);
    p = s3s4_fma_ld(p, t, 0.5689688918147833857769L);
    p = s3s4_fma_ld(p, t, -0.7010090295908656139582L);
    p = s3s4_fma_ld(p, t, 0.7773517718933621919314L);
    return p;
}

#endif
