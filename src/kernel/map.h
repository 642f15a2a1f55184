/* Element-wise programs: up to 16 instructions run tile by tile on float registers held in L1, so that a chain of
 * element-wise ops reads and writes memory once.
 *
 * The iteration space has rank <= 4. Registers 0 .. n_inputs-1 are loaded from the inputs before the first
 * instruction; then the registers named by 'output_register' are stored. Outputs may alias inputs exactly (same
 * address, strides and element size), not overlap otherwise. */
#ifndef GR__MAP_OPS_H
#define GR__MAP_OPS_H

#include "gradus/tensor.h"

typedef enum gr__map_op {
#define GR_X(NAME, name, n_args, text) GR__MAP_##NAME,
#include "kernel/map_ops.def"
#undef GR_X
    GR__MAP_OP_COUNT
} gr__map_op;

enum {
    GR__MAP_MOST_INSTRUCTIONS = 16,
    GR__MAP_REGISTERS = 16,
    GR__MAP_MOST_INPUTS = 8,
    GR__MAP_MOST_OUTPUTS = 4,
    GR__MAP_RANK = 4,
    GR__MAP_TILE = 512
};

typedef struct gr__map_code {
    uint8_t op;           /* gr__map_op */
    uint8_t dst, a, b, c; /* registers; those beyond n_args are not read */
    float p0, p1;
} gr__map_code;

typedef struct gr__map_operand {
    void *data;
    gr_dtype dtype;               /* inputs: f32, bf16, f16, i32, u8, bool; outputs: f32, bf16, i32, u8, bool */
    int64_t stride[GR__MAP_RANK]; /* elements; 0: broadcast; the last one is 0 or 1 (outputs: 1 where dim > 1) */
} gr__map_operand;

typedef struct gr__map_job {   /* (gr__map is the hash map of base/map.h) */
    int rank;                  /* 0 .. 4 */
    int64_t dim[GR__MAP_RANK]; /* slowest first; the first 'rank' ones count */
    int n_code, n_inputs, n_outputs;
    gr__map_code code[GR__MAP_MOST_INSTRUCTIONS];
    gr__map_operand input[GR__MAP_MOST_INPUTS];
    gr__map_operand output[GR__MAP_MOST_OUTPUTS];
    uint8_t output_register[GR__MAP_MOST_OUTPUTS];
} gr__map_job;

void gr__map_run(const gr__map_job *m);
/* A part of a program over rows and columns, by the calling thread alone; operand 'input' of it is a block of floats, rows
 * ld apart. */
void gr__map_run_part(const gr__map_job *m, int64_t row, int64_t column, int64_t rows, int64_t columns, int input,
                      const float *block, int64_t ld);

/* The specification of every instruction, in double (i32, u8 and bool outputs: truncated, saturated; bool: != 0). */
double gr__map_scalar(gr__map_op op, double a, double b, double c, double p0, double p1);

int gr__map_op_args(gr__map_op op);
const char *gr__map_op_name(gr__map_op op); /* "gelu_tanh" */

#endif
