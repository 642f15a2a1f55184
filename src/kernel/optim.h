/* One pass over a parameter: gradient in, moments and parameter updated in place, bf16 copy out. */
#ifndef GR__OPTIM_H
#define GR__OPTIM_H

#include "gradus/tensor.h"

/* Code, name, reads and writes m, v. */
#define GR__OPTIM_MAP(X)                  \
    X(GR__OPTIM_ADAMW, "adamw", 1, 1)     \
    X(GR__OPTIM_SGD, "sgd", 1, 0)         \
    X(GR__OPTIM_RMSPROP, "rmsprop", 1, 1) \
    X(GR__OPTIM_ADAGRAD, "adagrad", 0, 1) \
    X(GR__OPTIM_LION, "lion", 1, 0)

typedef enum gr__optim_kind {
#define GR_X(code, name, m, v) code,
    GR__OPTIM_MAP(GR_X)
#undef GR_X
        GR__OPTIM_COUNT
} gr__optim_kind;

/* With g = gradient*gscale (+ weight_decay*p when 'coupled'); otherwise p *= 1 - lr*weight_decay first.
 * adamw:   m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g^2;
 *          p -= lr/correction1 * m / (sqrt(v/correction2) + eps), correction = 1 - beta^step
 * sgd:     m = beta1*m + g; p -= lr*(nesterov ? g + beta1*m : m); m NULL: p -= lr*g
 * rmsprop: v = beta2*v + (1-beta2)*g^2; u = g/(sqrt(v) + eps); m (may be NULL) = beta1*m + u; p -= lr*m (or u)
 * adagrad: v += g^2; p -= lr*g/(sqrt(v) + eps)
 * lion:    p -= lr*sign(beta1*m + (1-beta1)*g); m = beta2*m + (1-beta2)*g */
typedef struct gr__optim {
    gr__optim_kind kind;
    int64_t count;
    float *p;         /* (count) in place */
    float *m, *v;     /* (count) in place, where the kind uses them; zero at first */
    const void *g;    /* (count) */
    gr_dtype g_dtype; /* GR_F32 or GR_BF16 */
    uint16_t *copy;   /* (count) bf16 of the new p; NULL: none */
    double gscale;    /* 1: none */
    double lr, beta1, beta2, eps, weight_decay;
    double correction1, correction2; /* adamw */
    bool coupled, nesterov;
} gr__optim;

void gr__optim_run(const gr__optim *o);

#endif
