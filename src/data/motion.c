#include "data/motion.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

const char *const gr__motion_names[GR__DIRECTIONS] = {"right", "up-right",  "up",   "up-left",
                                                      "left",  "down-left", "down", "down-right"};
static const int step_x[] = {1, 1, 0, -1, -1, -1, 0, 1}, step_y[] = {0, -1, -1, -1, 0, 1, 1, 1};

gr_status gr__motion_check(const gr__motion *m)
{
    double path = m->speed_most * (double)(m->frames - 1);
    int64_t room = m->edge - GR__MAX(m->height, m->width);
    GR_FAIL_IF(room < 0 || path > (double)room, GR_ERR_CONFIG,
               "pictures of %lld x %lld that go %g pixels do not stay in a field of %lld", (long long)m->height,
               (long long)m->width, path, (long long)m->edge);
    GR_FAIL_IF(m->speed_least > m->speed_most, GR_ERR_CONFIG, "'speed_min' is above 'speed_max'");
    return GR_OK;
}

/* Where the path along one axis begins, so that it stays within 'room'. */
static double begin(gr__rng *r, int step, double path, double room)
{
    double free = gr__rng_uniform(r) * (step ? room - path : room);
    return step < 0 ? free + path : free;
}

int32_t gr__motion_draw(const gr__motion *m, const uint8_t *picture, uint64_t seed, uint64_t stream, uint64_t sample,
                        uint8_t *out)
{
    gr__rng r = gr__rng_sample(seed, stream, sample);
    int32_t d = (int32_t)gr__rng_below(&r, GR__DIRECTIONS);
    double speed = m->speed_least + (m->speed_most - m->speed_least) * gr__rng_uniform(&r);
    double path = speed * (double)(m->frames - 1);
    double x = begin(&r, step_x[d], path, (double)(m->edge - m->width)),
           y = begin(&r, step_y[d], path, (double)(m->edge - m->height));
    memset(out, 0, (size_t)(m->frames * m->edge * m->edge));
    for (int64_t f = 0; f < m->frames; f++) {
        int64_t left = llround(x + step_x[d] * speed * (double)f), top = llround(y + step_y[d] * speed * (double)f);
        left = GR__MIN(GR__MAX(left, 0), m->edge - m->width), top = GR__MIN(GR__MAX(top, 0), m->edge - m->height);
        for (int64_t row = 0; row < m->height; row++)
            memcpy(out + (f * m->edge + top + row) * m->edge + left, picture + row * m->width, (size_t)m->width);
    }
    return d;
}
