/* Schedules of the learning rate against PyTorch's (tests/golden/make_schedule.py) and by their properties. */
#include "tests/rig.h"

#include "gradus/nn.h"

static gr__safetensors *file;

static int open_golden(void **state)
{
    (void)state;
    return gr__safetensors_open(test_source("tests/golden/schedule.safetensors"), &file) == GR_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gr__safetensors_close(&file);
    return 0;
}

static void follows(const char *name, gr_schedule s)
{
    const gr_tensor *want = golden(file, name);
    assert_ok(gr_schedule_check(&s));
    for (int64_t t = 0; t < gr_tensor_count(want); t++) {
        double got = gr_schedule_at(&s, t), w = gr_tensor_get(want, t);
        if (!(fabs(got - w) <= 1e-12 + 1e-9 * fabs(w))) fail_msg("%s at %d: %.15g, not %.15g", name, (int)t, got, w);
    }
}

static void matches_pytorch(void **state)
{
    (void)state;
    follows("step", (gr_schedule){.kind = GR_SCHEDULE_STEP, .learning_rate = 0.1, .period = 7, .factor = 0.5});
    follows("exponential", (gr_schedule){.kind = GR_SCHEDULE_EXPONENTIAL, .learning_rate = 0.1});
    follows("cosine",
            (gr_schedule){.kind = GR_SCHEDULE_COSINE, .learning_rate = 0.1, .min_learning_rate = 0.01, .steps = 50});
    follows("linear",
            (gr_schedule){.kind = GR_SCHEDULE_LINEAR, .learning_rate = 0.1, .min_learning_rate = 0.01, .steps = 40});
    follows("one_cycle", (gr_schedule){.kind = GR_SCHEDULE_ONE_CYCLE, .learning_rate = 0.4, .steps = 60});
    follows("one_cycle_own", (gr_schedule){.kind = GR_SCHEDULE_ONE_CYCLE,
                                           .learning_rate = 0.4,
                                           .steps = 60,
                                           .rise_fraction = 0.45,
                                           .start_divisor = 10,
                                           .end_divisor = 100});
    follows("inverse_time", (gr_schedule){.kind = GR_SCHEDULE_INVERSE_TIME, .learning_rate = 0.1, .decay = 0.3});
    follows("linear_decay", (gr_schedule){.kind = GR_SCHEDULE_LINEAR_DECAY, .learning_rate = 0.1, .decay = 0.02});
    follows("warmup_cosine",
            (gr_schedule){.kind = GR_SCHEDULE_COSINE, .learning_rate = 0.1, .warmup = 10, .steps = 50});
}

static void wsd_has_three_parts(void **state)
{
    (void)state;
    gr_schedule s = {
        .kind = GR_SCHEDULE_WSD, .learning_rate = 1, .min_learning_rate = 0.1, .warmup = 100, .steps = 1100};
    assert_ok(gr_schedule_check(&s));
    assert_close(gr_schedule_at(&s, 0), 0.01, 1e-12);
    assert_close(gr_schedule_at(&s, 99), 1, 1e-12);
    assert_close(gr_schedule_at(&s, 900), 1, 1e-12);
    assert_close(gr_schedule_at(&s, 1000), 0.55, 1e-12);
    assert_close(gr_schedule_at(&s, 1100), 0.1, 1e-12);
    assert_close(gr_schedule_at(&s, 1 << 20), 0.1, 1e-12);
}

static void every_kind_is_sane(void **state)
{
    (void)state;
    for (int kind = 0; kind < GR_SCHEDULE_COUNT; kind++) {
        gr_schedule s = {.kind = (gr_schedule_kind)kind,
                         .learning_rate = 0.3,
                         .min_learning_rate = 0.001,
                         .steps = 90,
                         .decay = 0.01,
                         .warmup = kind == GR_SCHEDULE_ONE_CYCLE ? 0 : 9};
        gr_schedule_kind back;
        assert_ok(gr_schedule_check(&s));
        assert_ok(gr_schedule_from_name(gr_schedule_name(s.kind), &back));
        assert_int_equal(back, kind);
        for (int64_t t = 0; t < 200; t++) {
            double r = gr_schedule_at(&s, t);
            if (!(r > 0 && r <= 0.3 * (1 + 1e-12))) fail_msg("%s at %d: %g", gr_schedule_name(s.kind), (int)t, r);
            if (s.warmup && t >= s.warmup) assert_true(r >= 0.001);
        }
    }
    gr_schedule constant = {0};
    assert_ok(gr_schedule_check(&constant));
    assert_close(gr_schedule_at(&constant, 12345), 1e-3, 0);
    assert_string_equal(gr_schedule_name(GR_SCHEDULE_COUNT), "");
}

static void refuses(void **state)
{
    (void)state;
    gr_schedule_kind kind;
    assert_fails(gr_schedule_from_name("cosin", &kind), GR_ERR_CONFIG, "did you mean 'cosine'");
    assert_fails(gr_schedule_from_name("qqqqqqqqqq", &kind), GR_ERR_CONFIG, "possible are constant, step");
    assert_fails(gr_schedule_check(&(gr_schedule){.kind = GR_SCHEDULE_COSINE}), GR_ERR_CONFIG,
                 "'cosine' needs 'steps'");
    assert_fails(gr_schedule_check(&(gr_schedule){.kind = GR_SCHEDULE_INVERSE_TIME}), GR_ERR_CONFIG, "needs 'decay'");
    assert_fails(gr_schedule_check(&(gr_schedule){.learning_rate = NAN}), GR_ERR_CONFIG, "'learning_rate'");
    assert_fails(gr_schedule_check(&(gr_schedule){.learning_rate = 1, .min_learning_rate = 2}), GR_ERR_CONFIG,
                 "'min_learning_rate' is 2");
    assert_fails(gr_schedule_check(&(gr_schedule){.warmup = -1}), GR_ERR_CONFIG, "'warmup'");
    assert_fails(gr_schedule_check(&(gr_schedule){.kind = GR_SCHEDULE_LINEAR, .steps = 5, .warmup = 6}), GR_ERR_CONFIG,
                 "'warmup' (6) is longer than 'steps' (5)");
    assert_fails(gr_schedule_check(&(gr_schedule){.kind = GR_SCHEDULE_ONE_CYCLE, .steps = 5, .warmup = 2}),
                 GR_ERR_CONFIG, "warms up by itself");
    assert_fails(gr_schedule_check(&(gr_schedule){.kind = GR_SCHEDULE_REDUCE_ON_PLATEAU, .factor = 1}), GR_ERR_CONFIG,
                 "'factor'");
}

/* 'flip' turns the metric into one of which larger is better. */
static void plateau_follows(const char *name, gr_schedule s, bool flip)
{
    const gr_tensor *metric = golden(file, "metric"), *want = golden(file, name);
    gr_plateau p, saved;
    s.kind = GR_SCHEDULE_REDUCE_ON_PLATEAU;
    s.learning_rate = 0.1;
    s.larger_is_better = flip;
    assert_ok(gr_schedule_check(&s));
    gr_plateau_init(&p);
    for (int64_t i = 0; i < gr_tensor_count(metric); i++) {
        double x = gr_tensor_get(metric, i);
        saved = p; /* a checkpoint in between changes nothing */
        p = saved;
        double scale = gr_plateau_feed(&p, &s, flip ? 2 - x : x), got = gr_schedule_at(&s, i) * scale;
        if (!(fabs(got - gr_tensor_get(want, i)) <= 1e-12))
            fail_msg("%s at %d: %.15g, not %.15g", name, (int)i, got, gr_tensor_get(want, i));
        assert_true(scale == p.scale);
    }
    assert_true(p.scale < 1); /* the case does reduce */
}

static void plateau_matches_pytorch(void **state)
{
    (void)state;
    plateau_follows("plateau", (gr_schedule){.factor = 0.5, .patience = 3}, false);
    plateau_follows(
        "plateau_max",
        (gr_schedule){.factor = 0.5, .patience = 2, .threshold = 0.01, .cooldown = 2, .min_learning_rate = 0.02}, true);
    plateau_follows("plateau_zero", (gr_schedule){.factor = 0.3, .no_patience = true, .no_threshold = true}, false);
}

/* A metric below zero (a log-likelihood) must get better, too; NaN never does. */
static void plateau_of_negative_metrics(void **state)
{
    (void)state;
    gr_schedule s = {.kind = GR_SCHEDULE_REDUCE_ON_PLATEAU, .no_patience = true, .threshold = 0.1, .factor = 0.5};
    gr_plateau p;
    gr_plateau_init(&p);
    assert_true(gr_plateau_feed(&p, &s, -10) == 1);
    assert_true(gr_plateau_feed(&p, &s, -12) == 1);
    assert_true(gr_plateau_feed(&p, &s, -12.5) == 0.5);
    assert_true(gr_plateau_feed(&p, &s, NAN) == 0.25);
    assert_true(p.best == -12);
    gr_plateau_init(&p);
    assert_true(gr_plateau_feed(&p, &s, NAN) == 0.5);
    assert_true(gr_plateau_feed(&p, &s, 5) == 0.5 && p.best == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch),         cmocka_unit_test(wsd_has_three_parts),
        cmocka_unit_test(every_kind_is_sane),      cmocka_unit_test(refuses),
        cmocka_unit_test(plateau_matches_pytorch), cmocka_unit_test(plateau_of_negative_metrics),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
