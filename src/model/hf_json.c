#include "model/hf_json.h"

#include <math.h>
#include <string.h>

static gr__json given(gr__json root, const char *key)
{
    gr__json v = gr__json_get(root, key);
    return gr__json_kind_of(v) == GR__JSON_NULL ? NULL : v;
}

gr_status gr__hf_need(gr__json root, const char *key)
{
    GR_FAIL_IF(!given(root, key), GR_ERR_CORRUPT, "'%s' is missing", key);
    return GR_OK;
}

gr_status gr__hf_int(gr__json root, const char *key, int64_t low, int64_t high, int64_t *out)
{
    gr__json v = given(root, key);
    int64_t x;
    if (!v) return GR_OK;
    GR_FAIL_IF(!gr__json_int(v, &x) || x < low || x > high, GR_ERR_CORRUPT, "'%s' must be an integer from %lld to %lld",
               key, (long long)low, (long long)high);
    *out = x;
    return GR_OK;
}

gr_status gr__hf_double(gr__json root, const char *key, double low, double high, double *out)
{
    gr__json v = given(root, key);
    double x;
    if (!v) return GR_OK;
    GR_FAIL_IF(!gr__json_double(v, &x) || !(x >= low && x <= high), GR_ERR_CORRUPT,
               "'%s' must be a number from %g to %g", key, low, high);
    *out = x;
    return GR_OK;
}

gr_status gr__hf_bool(gr__json root, const char *key, bool *out)
{
    gr__json v = given(root, key);
    GR_FAIL_IF(v && !gr__json_bool(v, out), GR_ERR_CORRUPT, "'%s' must be true or false", key);
    return GR_OK;
}

gr_status gr__hf_text(gr__json root, const char *key, const char **out)
{
    gr__json v = given(root, key);
    size_t n;
    GR_FAIL_IF(v && (!gr__json_string(v, out, &n) || strlen(*out) != n), GR_ERR_CORRUPT, "'%s' must be a text", key);
    return GR_OK;
}

gr_status gr__hf_refuse(gr__json root, const char *key, bool want)
{
    bool x = want;
    GR_TRY(gr__hf_bool(root, key, &x));
    GR_FAIL_IF(x != want, GR_ERR_UNSUPPORTED, "'%s': %s is not supported", key, x ? "true" : "false");
    return GR_OK;
}

static void put_key(gr__str *out, const char *key) { gr__str_printf(out, "%s  \"%s\": ", out->n ? ",\n" : "", key); }

void gr__hf_put_raw(gr__str *out, const char *key, const char *json)
{
    put_key(out, key);
    gr__str_add(out, json);
}

void gr__hf_put_int(gr__str *out, const char *key, int64_t value)
{
    put_key(out, key);
    gr__str_printf(out, "%lld", (long long)value);
}

void gr__hf_put_double(gr__str *out, const char *key, double value)
{
    put_key(out, key);
    gr__json_add_double(out, value);
}

void gr__hf_put_bool(gr__str *out, const char *key, bool value) { gr__hf_put_raw(out, key, value ? "true" : "false"); }

void gr__hf_put_text(gr__str *out, const char *key, const char *value)
{
    put_key(out, key);
    if (value)
        gr__json_add_string(out, value, strlen(value));
    else
        gr__str_add(out, "null");
}
