/* The specification of the map instructions, one double at a time through libm. */
#include "kernel/map.h"

#include "tensor/convert.h"

#include <math.h>

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double phi(double x) { return exp(-x * x / 2) * 0.39894228040143267794; }
static double cdf(double x) { return erfc(-x * 0.70710678118654752440) / 2; }
static double tanh_arg(double x) { return 0.79788456080286535588 * (x + 0.044715 * x * x * x); }

static double gelu_tanh_grad(double x)
{
    double t = tanh(tanh_arg(x));
    return (1 + t) / 2 + x / 2 * (1 - t * t) * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x);
}

/* No default: the compiler names an instruction that is missing here. */
double gr__map_scalar(gr__map_op op, double a, double b, double c, double p0, double p1)
{
    switch (op) {
    case GR__MAP_COPY: return a;
    case GR__MAP_CONST: return p0;
    case GR__MAP_ADD: return a + b;
    case GR__MAP_SUB: return a - b;
    case GR__MAP_MUL: return a * b;
    case GR__MAP_DIV: return a / b;
    case GR__MAP_MULADD: return a * b + c;
    case GR__MAP_ADD_C: return a + p0;
    case GR__MAP_MUL_C: return a * p0;
    case GR__MAP_AFFINE: return a * p0 + p1;
    case GR__MAP_MAX: return isnan(a) || a > b ? a : b;
    case GR__MAP_MIN: return isnan(a) || a < b ? a : b;
    case GR__MAP_POW: return pow(a, b);
    case GR__MAP_POW_C: return pow(a, p0);
    case GR__MAP_GT: return a > b;
    case GR__MAP_GE: return a >= b;
    case GR__MAP_LT: return a < b;
    case GR__MAP_LE: return a <= b;
    case GR__MAP_EQ: return a == b;
    case GR__MAP_NE: return a != b;
    case GR__MAP_WHERE: return a != 0 ? b : c;
    case GR__MAP_CLAMP: return a < p0 ? p0 : a > p1 ? p1 : a;
    case GR__MAP_NEG: return -a;
    case GR__MAP_ABS: return fabs(a);
    case GR__MAP_SIGN: return (a > 0) - (a < 0);
    case GR__MAP_FLOOR: return floor(a);
    case GR__MAP_ROUND: return rint(a);
    case GR__MAP_SQRT: return sqrt(a);
    case GR__MAP_RSQRT: return 1 / sqrt(a);
    case GR__MAP_SQUARE: return a * a;
    case GR__MAP_RECIP: return 1 / a;
    case GR__MAP_EXP: return exp(a);
    case GR__MAP_LOG: return log(a);
    case GR__MAP_LOG1P: return log1p(a);
    case GR__MAP_SIN: return sin(a);
    case GR__MAP_COS: return cos(a);
    case GR__MAP_ATAN: return atan(a);
    case GR__MAP_ERF: return erf(a);
    case GR__MAP_TANH: return tanh(a);
    case GR__MAP_SIGMOID: return sigmoid(a);
    case GR__MAP_SOFTPLUS: return a > 0 ? a + log1p(exp(-a)) : log1p(exp(a));
    case GR__MAP_RELU: return a < 0 ? 0 : a;
    case GR__MAP_LEAKY_RELU: return a > 0 ? a : p0 * a;
    case GR__MAP_ELU: return a > 0 ? a : p0 * expm1(a);
    case GR__MAP_GELU: return a * cdf(a);
    case GR__MAP_GELU_TANH: return a / 2 * (1 + tanh(tanh_arg(a)));
    case GR__MAP_SILU: return a * sigmoid(a);
    case GR__MAP_ROUND_BF16: return (double)gr__bf16_to_f32(gr__f32_to_bf16(gr__f64_to_f32_odd(a)));
    case GR__MAP_RELU_GRAD: return a > 0 ? b : 0;
    case GR__MAP_LEAKY_RELU_GRAD: return a > 0 ? b : p0 * b;
    case GR__MAP_ELU_GRAD: return a > 0 ? b : b * p0 * exp(a);
    case GR__MAP_GELU_GRAD: return b * (cdf(a) + a * phi(a));
    case GR__MAP_GELU_TANH_GRAD: return b * gelu_tanh_grad(a);
    case GR__MAP_SILU_GRAD: return b * sigmoid(a) * (1 + a * (1 - sigmoid(a)));
    case GR__MAP_SIGMOID_GRAD: return b * a * (1 - a);
    case GR__MAP_TANH_GRAD: return b * (1 - a * a);
    case GR__MAP_SOFTPLUS_GRAD: return b * sigmoid(a);
    case GR__MAP_CLAMP_GRAD: return a >= p0 && a <= p1 ? b : 0;
    case GR__MAP_ERF_GRAD: return b * 1.12837916709551257390 * exp(-a * a);
    case GR__MAP_OP_COUNT: break;
    }
    return NAN;
}
