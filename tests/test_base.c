/* src/base: statuses and messages, memory and its hook, arena, strings and numbers, map, random numbers, log, clock. */
#include "base/distinct.h"
#include "base/spill.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- an allocator that fails on purpose ---------------------------------------------------------------- */

static int64_t allowed = -1; /* allocations until one fails; negative: none fails */

static void *rationed(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (allowed == 0) return NULL;
    if (allowed > 0) allowed--;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

/* Runs 'scenario' with its 1st, 2nd, ... allocation failing until it succeeds; nothing may leak. */
static void torture(gr_status (*scenario)(void))
{
    const gr_allocator hook = {rationed, NULL};
    size_t before = gr_memory_used_bytes();
    gr_set_allocator(&hook);
    int failures = 0;
    for (;; failures++) {
        allowed = failures;
        gr_status status = scenario();
        assert_int_equal(gr_memory_used_bytes(), before);
        if (status == GR_OK) break;
        assert_int_equal(status, GR_ERR_MEMORY);
        assert_true(failures < 10000);
    }
    allowed = -1;
    gr_set_allocator(NULL);
    assert_true(failures > 0);
}

/* ---- status -------------------------------------------------------------------------------------------- */

static gr_status forwards(gr_status s)
{
    GR_TRY(s);
    return GR_OK;
}

static gr_status refuses(int n)
{
    GR_FAIL_IF(n > 3, GR_ERR_LIMIT, "cannot take %d; most is %d", n, 3);
    return GR_OK;
}

static void statuses(void **state)
{
    (void)state;
    assert_string_equal(gr_version(), GR_VERSION);
    assert_string_equal(gr_status_name(GR_OK), "ok");
    assert_string_equal(gr_status_name(GR_ERR_INTERNAL), "internal");
    assert_string_equal(gr_status_name(GR_STATUS_COUNT), "unknown");
    assert_int_equal(forwards(GR_ERR_DATA), GR_ERR_DATA);
    assert_int_equal(forwards(GR_OK), GR_OK);
    assert_int_equal(refuses(3), GR_OK);
    assert_int_equal(refuses(4), GR_ERR_LIMIT);
    assert_string_equal(gr_message(), "cannot take 4; most is 3");
    assert_int_equal(gr__fail_prefix(GR_ERR_DATA, "row %d", 7), GR_ERR_DATA);
    assert_string_equal(gr_message(), "row 7: cannot take 4; most is 3");
    gr__fail(GR_ERR_IO, "again: %s", gr_message()); /* the old message as an argument */
    assert_string_equal(gr_message(), "again: row 7: cannot take 4; most is 3");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    gr__fail(GR_ERR_IO, "%s", text);
    size_t n = strlen(gr_message());
    assert_in_range(n, 1000, 4999);
    for (int i = 0; i < 3; i++) gr__fail_prefix(GR_ERR_IO, "%s", "prefix");
    assert_memory_equal(gr_message(), "prefix: prefix: prefix: xxx", 27);
    gr__fail_prefix(GR_ERR_IO, "%s", text);
    assert_memory_equal(gr_message(), "xxx", 3);
}

static void *other_thread(void *arg)
{
    (void)arg;
    bool clean = gr_message()[0] == 0;
    gr__fail(GR_ERR_DATA, "of the other thread");
    return clean ? NULL : "not clean";
}

static void a_message_belongs_to_its_thread(void **state)
{
    (void)state;
    gr__fail(GR_ERR_DATA, "of this thread");
    pthread_t t;
    void *result;
    assert_int_equal(pthread_create(&t, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(t, &result), 0);
    assert_null(result);
    assert_string_equal(gr_message(), "of this thread");
}

/* ---- memory -------------------------------------------------------------------------------------------- */

static void memory_is_counted(void **state)
{
    (void)state;
    size_t before = gr_memory_used_bytes();
    char *p = gr__alloc(1000);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % GR__ALIGN, 0);
    assert_true(gr_memory_used_bytes() >= before + 1000);
    memset(p, 7, 1000);
    p = gr__realloc(p, 100000);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++) assert_int_equal(p[i], 7);
    gr_memory_reset_peak();
    char *more = gr__calloc(3, 50000);
    assert_non_null(more);
    for (int i = 0; i < 150000; i++) assert_int_equal(more[i], 0);
    size_t top = gr_memory_used_bytes();
    gr__free(more);
    gr__free(p);
    gr__free(NULL);
    assert_int_equal(gr_memory_peak_bytes(), top);
    assert_int_equal(gr_memory_used_bytes(), before);

    void *empty = gr__alloc(0);
    assert_non_null(empty);
    gr__free(empty);

    char *large = gr__alloc_large(3u << 20);
    assert_non_null(large);
    for (size_t i = 0; i < 3u << 20; i += 1013) assert_int_equal(large[i], 0);
    large[(3u << 20) - 1] = 1;
    gr__free_large(large, 3u << 20);
    gr__free_large(NULL, 100);
    assert_int_equal(gr_memory_used_bytes(), before);
}

static void sizes_do_not_wrap(void **state)
{
    (void)state;
    size_t r = 99;
    assert_true(gr__mul_size(0, SIZE_MAX, &r) && r == 0);
    assert_true(gr__mul_size(SIZE_MAX, 1, &r) && r == SIZE_MAX);
    assert_false(gr__mul_size(SIZE_MAX / 2 + 1, 2, &r));
    assert_true(gr__add_size(SIZE_MAX - 1, 1, &r) && r == SIZE_MAX);
    assert_false(gr__add_size(SIZE_MAX, 1, &r));
    volatile size_t huge = SIZE_MAX;
    assert_null(gr__alloc(huge));
    assert_null(gr__alloc(huge - 70));
    assert_null(gr__calloc(huge / 2, 3));
    void *items = NULL;
    size_t capacity = 0;
    assert_fails(gr__grow(&items, 16, huge / 8, &capacity), GR_ERR_MEMORY, "memory");
    assert_null(items);
    assert_int_equal(capacity, 0);
}

static void lists_grow(void **state)
{
    (void)state;
    int *items = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 10000; i++) {
        assert_ok(gr__grow(&items, sizeof *items, (size_t)i + 1, &capacity));
        items[i] = i;
    }
    for (int i = 0; i < 10000; i++) assert_int_equal(items[i], i);
    assert_in_range(capacity, 10000, 20000);
    gr__free(items);
}

static gr_status arena_scenario(void)
{
    gr__arena arena = {0};
    bool ok = gr__arena_alloc(&arena, 10) && gr__arena_alloc(&arena, 100000) && gr__arena_printf(&arena, "%d", 5) &&
              gr__arena_strdup(&arena, "text");
    gr__arena_release(&arena);
    return ok ? GR_OK : GR_ERR_MEMORY;
}

static void fill_arena(gr__arena arena)
{
    size_t before = gr_memory_used_bytes();
    char *block[300];
    for (int i = 0; i < 300; i++) {
        size_t n = (size_t)i * 37 + 1;
        block[i] = gr__arena_alloc(&arena, n);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        for (size_t k = 0; k < n; k++) assert_int_equal(block[i][k], 0);
        memset(block[i], i, n);
    }
    for (int i = 0; i < 300; i++)
        for (int k = 0; k < i * 37 + 1; k++) assert_int_equal((unsigned char)block[i][k], i & 255);
    assert_string_equal(gr__arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(gr__arena_printf(&arena, "%s-%d", "x", 12), "x-12");
    assert_null(gr__arena_alloc(&arena, SIZE_MAX - 3));
    if (arena.spills) assert_in_range(gr_memory_used_bytes() - before, 1, 200000); /* of 1.6 MB */
    gr__arena_release(&arena);
    gr__arena_release(&arena);
    assert_int_equal(gr_memory_used_bytes(), before);
}

static void arenas(void **state)
{
    (void)state;
    fill_arena((gr__arena){0});
    gr__set_large_bytes(50000);
    fill_arena((gr__arena){.spills = true});
    gr__set_large_bytes(0);
    torture(arena_scenario);
}

/* ---- strings and numbers ------------------------------------------------------------------------------- */

static gr_status str_scenario(void)
{
    gr__str s = {0};
    for (int i = 0; i < 100; i++) gr__str_printf(&s, "%d,", i);
    gr__str_add(&s, "end");
    gr_status status = gr__str_check(&s);
    if (status == GR_OK && strcmp(s.text + s.n - 6, "99,end") != 0) status = GR_ERR_INTERNAL;
    gr__str_release(&s);
    return status;
}

static void strings_grow(void **state)
{
    (void)state;
    gr__str s = {0};
    assert_string_equal(gr__str_get(&s), "");
    assert_ok(gr__str_check(&s));
    gr__str_add(&s, "");
    gr__str_add_char(&s, 'a');
    gr__str_add_n(&s, "bcd", 2);
    gr__str_printf(&s, "%03d", 7);
    assert_string_equal(gr__str_get(&s), "abc007");
    assert_int_equal(s.n, 6);
    gr__str_clear(&s);
    assert_string_equal(gr__str_get(&s), "");
    gr__str_release(&s);
    assert_null(s.text);
    torture(str_scenario);
}

static void near_names_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"learning_rate", "batch_size", "epochs", "seed"};
    assert_int_equal(gr__str_distance("seed", "SEED", 3), 0);
    assert_int_equal(gr__str_distance("sede", "seed", 3), 1); /* one swap */
    assert_int_equal(gr__str_distance("kitten", "sitting", 9), 3);
    assert_int_equal(gr__str_distance("", "abc", 9), 3);
    assert_int_equal(gr__str_distance("abc", "xyz", 1), 2); /* capped */
    assert_string_equal(gr__str_nearest("learnign_rate", names, GR__COUNT(names)), "learning_rate");
    assert_string_equal(gr__str_nearest("batchsize", names, GR__COUNT(names)), "batch_size");
    assert_null(gr__str_nearest("colour", names, GR__COUNT(names)));
    assert_null(gr__str_nearest("x", names, 0));
    assert_null(gr__str_nearest("c", (const char *const[]){"a", "b"}, 2)); /* one letter is near to any */
}

static void numbers_are_strict(void **state)
{
    (void)state;
    double d = 0;
    int64_t i = 0;
    assert_true(gr__parse_double("1e-5", &d) && d == 1e-5);
    assert_true(gr__parse_double("-.5", &d) && d == -.5);
    static const char *const no_double[] = {"", " 1", "1 ", "1,5", "abc", "1.5x", "\n2"};
    for (size_t k = 0; k < GR__COUNT(no_double); k++) assert_false(gr__parse_double(no_double[k], &d));
    assert_true(gr__parse_int("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(gr__parse_int("+12", &i) && i == 12);
    static const char *const no_int[] = {"", " 1", "1 ", "9223372036854775808", "1.0", "0x10", "+-3", "-"};
    for (size_t k = 0; k < GR__COUNT(no_int); k++) assert_false(gr__parse_int(no_int[k], &i));
}

static void numbers_read_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } short_ones[] = {{0, "0"},        {-0.0, "-0"},   {0.1, "0.1"},     {3, "3"},
                      {1e-5, "1e-05"}, {-2.5, "-2.5"}, {1e300, "1e+300"}};
    char text[32];
    for (size_t k = 0; k < GR__COUNT(short_ones); k++) {
        gr__format_double(text, short_ones[k].value);
        assert_string_equal(text, short_ones[k].text);
    }
    gr__format_double(text, (double)NAN);
    assert_string_equal(text, "nan");
    gr__rng r = gr__rng_make(1, 2);
    for (int k = 0; k < 2000; k++) {
        double value, back = 0;
        uint64_t bits = (uint64_t)gr__rng_u32(&r) << 32 | gr__rng_u32(&r);
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        gr__format_double(text, value);
        assert_true(gr__parse_double(text, &back) && memcmp(&back, &value, sizeof back) == 0);
    }
    gr__format_bytes(text, 1536);
    assert_string_equal(text, "1.5 KiB");
    gr__format_count(text, 124439808);
    assert_string_equal(text, "124 M");
    gr__format_seconds(text, 3725);
    assert_string_equal(text, "1 h 02 min");
    static const struct {
        double value;
        const char *bytes, *seconds, *count;
    } odd[] = {{1e300, "9.09e+287 TiB", "1e+300 s", "1e+288 T"},
               {-1e300, "-1e+300 B", "-1e+300 s", "-1e+300"},
               {(double)INFINITY, "inf TiB", "inf s", "inf T"},
               {(double)NAN, "nan B", "nan s", "nan"}};
    for (size_t i = 0; i < GR__COUNT(odd); i++) {
        gr__format_bytes(text, odd[i].value);
        assert_string_equal(text, odd[i].bytes);
        gr__format_seconds(text, odd[i].value);
        assert_string_equal(text, odd[i].seconds);
        gr__format_count(text, odd[i].value);
        assert_string_equal(text, odd[i].count);
    }
}

/* ---- map ----------------------------------------------------------------------------------------------- */

static gr_status map_scenario(void)
{
    gr__map map = {0};
    gr_status status = GR_OK;
    for (int64_t i = 0; i < 40 && status == GR_OK; i++) status = gr__map_set(&map, &i, sizeof i, i, NULL);
    gr__map_release(&map);
    return status;
}

static void maps(void **state)
{
    (void)state;
    gr__map map = {0};
    bool was = true;
    assert_null(gr__map_get_name(&map, "a"));
    assert_ok(gr__map_set_name(&map, "a", 1, &was));
    assert_false(was);
    assert_ok(gr__map_set_name(&map, "a", 2, &was));
    assert_true(was);
    assert_int_equal(*gr__map_get_name(&map, "a"), 2);
    assert_int_equal(map.count, 1);
    assert_ok(gr__map_set(&map, "a\0b", 3, 3, NULL)); /* zero bytes inside a key */
    assert_ok(gr__map_set(&map, "", 0, 4, NULL));
    assert_int_equal(*gr__map_get(&map, "a\0b", 3), 3);
    assert_int_equal(*gr__map_get(&map, "", 0), 4);
    assert_int_equal(*gr__map_get_name(&map, "a"), 2);
    size_t before = gr_memory_used_bytes();
    for (int64_t i = 0; i < 20000; i++) assert_ok(gr__map_set(&map, &i, sizeof i, i * i, NULL));
    assert_true(gr_memory_used_bytes() - before < 20000 * 100); /* short keys have no block each */
    for (int64_t i = 0; i < 20000; i++) {
        int64_t *v = gr__map_get(&map, &i, sizeof i);
        assert_true(v && *v == i * i);
        assert_int_equal(map.entry[i + 3].value, i * i); /* order of insertion */
    }
    int64_t absent = 20000;
    assert_null(gr__map_get(&map, &absent, sizeof absent));
    gr__map_release(&map);
    assert_null(gr__map_get_name(&map, "a"));
    torture(map_scenario);
}

/* Golden: streams of random numbers and run folders rest on this hash for ever. */
/* Exact while there is room, near the truth beyond. */
static void different_ones_are_counted(void **state)
{
    (void)state;
    gr__distinct d = {0};
    bool before;
    assert_int_equal(gr__distinct_count(&d), 0);
    assert_false(gr__distinct_has(&d, 0));
    for (int64_t i = 0; i < 100000; i++) {
        uint64_t h = gr__hash_stable(&i, sizeof i, 0);
        assert_ok(gr__distinct_add(&d, h, &before));
        assert_false(before);
        if (i % 3) continue;
        assert_ok(gr__distinct_add(&d, h, &before));
        assert_true(before && gr__distinct_has(&d, h));
    }
    assert_int_equal(gr__distinct_count(&d), 100000);
    assert_ok(gr__distinct_add(&d, 0, &before));
    assert_ok(gr__distinct_add(&d, 0, &before));
    assert_true(before && gr__distinct_count(&d) == 100001);
    for (int64_t i = 100000; i < 10000000; i++) assert_ok(gr__distinct_add(&d, gr__hash_stable(&i, sizeof i, 0), NULL));
    assert_true(d.level == 4 && llabs(gr__distinct_count(&d) - 10000001) < 60000);
    gr__distinct_release(&d);
}

/* In memory, in a file, and in memory where no file can be made. */
static void spilled_blocks(void **state)
{
    (void)state;
    size_t before = gr_memory_used_bytes();
    for (int way = 0; way < 3; way++) {
        gr__set_large_bytes(way ? 4096 : 0);
        if (way == 2) assert_int_equal(setenv("TMPDIR", "/nowhere", 1), 0);
        unsigned char *p = gr__spill_new(100, 1000);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (int i = 0; i < 100000; i++) assert_int_equal(p[i], 0);
        memset(p, 7, 100000);
        assert_true((gr_memory_used_bytes() == before) == (way == 1));
        gr__spill_free(p);
        assert_int_equal(gr_memory_used_bytes(), before);
    }
    unsetenv("TMPDIR");
    assert_null(gr__spill_new(SIZE_MAX / 2, 4));
    gr__spill_free(NULL);
    gr__set_large_bytes(0);
}

static void the_stable_hash_is_stable(void **state)
{
    (void)state;
    assert_int_equal(gr__hash_stable("", 0, 0), 0xefd01f60ba992926u);
    assert_true(gr__hash_stable("gradus", 6, 0) != gr__hash_stable("gradus", 6, 1));
    assert_true(gr__hash_stable("ab", 2, 0) != gr__hash_stable("ba", 2, 0));
}

/* ---- random numbers ------------------------------------------------------------------------------------ */

/* The known answers published with Random123 (kat_vectors, philox4x32 10). */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < GR__COUNT(known); i++) {
        const uint32_t *c = known[i].counter;
        uint32_t out[4];
        gr__philox((uint64_t)known[i].key[1] << 32 | known[i].key[0], (uint64_t)c[3] << 32 | c[2],
                   (uint64_t)c[1] << 32 | c[0], out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void generators(void **state)
{
    (void)state;
    enum { N = 200000, BINS = 7 };
    gr__rng a = gr__rng_make(42, 1), b = gr__rng_make(42, 1), other = gr__rng_make(42, 2);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t x = gr__rng_u32(&a);
        assert_int_equal(x, gr__rng_u32(&b));
        same += x == gr__rng_u32(&other);
    }
    assert_true(same < 3);
    double sum = 0, squares = 0, uniform = 0;
    int bin[BINS] = {0};
    for (int i = 0; i < N; i++) {
        double n = gr__rng_normal(&a), u = gr__rng_uniform(&a);
        uint64_t k = gr__rng_below(&a, BINS);
        assert_true(isfinite(n) && u >= 0 && u < 1 && k < BINS);
        sum += n, squares += n * n, uniform += u, bin[k]++;
    }
    /* five standard errors */
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(uniform / N - .5) < 5 * sqrt(1.0 / 12 / N));
    for (int k = 0; k < BINS; k++) assert_true(abs(bin[k] - N / BINS) < 5 * (int)sqrt((double)N / BINS));
    assert_int_equal(gr__rng_below(&a, 1), 0);
}

/* Two epochs change their samples by other numbers, not by the same ones dealt out anew. */
static void streams_of_samples(void **state)
{
    (void)state;
    enum { N = 512, EPOCHS = 4 };
    static uint64_t first[EPOCHS][N];
    for (uint64_t e = 0; e < EPOCHS; e++)
        for (uint64_t i = 0; i < N; i++) {
            gr__rng r = gr__rng_sample(7, e, i), again = gr__rng_sample(7, e, i), other = gr__rng_sample(8, e, i);
            first[e][i] = gr__rng_u64(&r);
            assert_true(gr__rng_u64(&again) == first[e][i] && gr__rng_u64(&other) != first[e][i]);
            for (uint64_t k = 0; k < i; k++) assert_true(first[e][k] != first[e][i]);
        }
    for (int e = 0; e < EPOCHS; e++)
        for (int k = 0; k < e; k++) assert_int_equal(test_in_both(first[e], first[k], N), 0);
}

static void permute_is_a_permutation(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 1000, 4096, 65537};
    for (size_t s = 0; s < GR__COUNT(sizes); s++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            uint64_t n = sizes[s], fixed = 0;
            char *seen = calloc(n, 1);
            assert_non_null(seen);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t at = gr__permute(seed, n, i);
                assert_true(at < n && !seen[at]);
                seen[at] = 1;
                fixed += at == i;
            }
            free(seen);
            if (n >= 1000) assert_true(fixed < 10); /* about one is expected */
        }
    int moved = 0;
    for (uint64_t i = 0; i < 1000; i++) moved += gr__permute(1, 1000, i) != gr__permute(2, 1000, i);
    assert_true(moved > 980);
    uint64_t far = gr__permute(5, UINT64_MAX, UINT64_MAX - 1);
    assert_true(far < UINT64_MAX && far == gr__permute(5, UINT64_MAX, UINT64_MAX - 1));
}

/* ---- log, clock ------------------------------------------------------------------------------- */

static char logged[100];
static void keep_line(void *user, gr_log_level level, const char *line)
{
    snprintf(logged, sizeof logged, "%s %d %s", (const char *)user, (int)level, line);
}

static double frozen(void) { return 12.5; }

static void log_and_clock(void **state)
{
    (void)state;
    char who[] = "me";
    gr__log(GR_LOG_WARNING, "nobody listens");
    gr_set_log(keep_line, who, GR_LOG_INFO);
    gr__log(GR_LOG_DEBUG, "too fine");
    assert_string_equal(logged, "");
    gr__log(GR_LOG_INFO, "step %d", 3);
    assert_string_equal(logged, "me 1 step 3");
    gr_set_log(NULL, NULL, GR_LOG_DEBUG);
    assert_false(gr__log_on(GR_LOG_WARNING));

    double a = gr__now(), b = gr__now();
    assert_true(b >= a);
    gr__clock_set(frozen);
    assert_true(gr__now() == 12.5);
    gr__clock_set(NULL);
    assert_true(gr__now() >= b);
    assert_true(gr__wall_time() > 1.7e9);
    assert_true(gr__rss_bytes() > 100000);
    assert_true(gr__peak_rss_bytes() > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(a_message_belongs_to_its_thread),
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(lists_grow),
        cmocka_unit_test(arenas),
        cmocka_unit_test(strings_grow),
        cmocka_unit_test(near_names_are_found),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(maps),
        cmocka_unit_test(different_ones_are_counted),
        cmocka_unit_test(spilled_blocks),
        cmocka_unit_test(the_stable_hash_is_stable),
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(generators),
        cmocka_unit_test(streams_of_samples),
        cmocka_unit_test(permute_is_a_permutation),
        cmocka_unit_test(log_and_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
