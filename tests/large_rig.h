/* A case of a test once more, with what is large beside the memory (base/spill.h) beginning at 64 bytes. */
#ifndef GR_LARGE_RIG_H
#define GR_LARGE_RIG_H

#include "tests/test.h"

#include "base/spill.h"

static inline int large_from_here(void **state)
{
    (void)state;
    gr__set_large_bytes(64);
    return 0;
}

static inline int large_as_usual(void **state)
{
    (void)state;
    gr__set_large_bytes(0);
    return 0;
}

#define when_large(case) cmocka_unit_test_setup_teardown(case, large_from_here, large_as_usual)

#endif
