/* Members of a config.json, read with one sentence per mistake and written in order. A member that is absent or null
 * leaves *out as it was. */
#ifndef GR__HF_JSON_H
#define GR__HF_JSON_H

#include "base/json.h"
#include "conf/schema.h"

/* GR_ERR_CORRUPT: the key is absent. */
gr_status gr__hf_need(gr__json root, const char *key);
gr_status gr__hf_int(gr__json root, const char *key, int64_t low, int64_t high, int64_t *out);
gr_status gr__hf_double(gr__json root, const char *key, double low, double high, double *out);
gr_status gr__hf_bool(gr__json root, const char *key, bool *out);
/* Borrowed from the document. */
gr_status gr__hf_text(gr__json root, const char *key, const char **out);
/* GR_ERR_UNSUPPORTED when the member is there, not null and not 'want'. */
gr_status gr__hf_refuse(gr__json root, const char *key, bool want);

/* 'id2label' ({"0": "ham", "1": "spam"}), or 'num_labels' nameless ones; where neither is there, 'otherwise' of them:
 * Transformers leaves out what is its default. */
gr_status gr__hf_read_labels(gr__json root, int64_t otherwise, gr__arena *arena, gr__conf_strings *out);
/* A list of numbers; absent: *out as it was. */
gr_status gr__hf_doubles(gr__json root, const char *key, size_t most, gr__arena *arena, gr__conf_doubles *out);
gr_status gr__hf_ints(gr__json root, const char *key, size_t most, int64_t low, int64_t high, gr__arena *arena,
                      gr__conf_ints *out);
/* One of 'choices' (up to NULL); GR_ERR_UNSUPPORTED for another. */
gr_status gr__hf_choice(gr__json root, const char *key, const char *const *choices, int *out);

void gr__hf_put_int(gr__str *out, const char *key, int64_t value);
void gr__hf_put_double(gr__str *out, const char *key, double value);
void gr__hf_put_bool(gr__str *out, const char *key, bool value);
void gr__hf_put_text(gr__str *out, const char *key, const char *value); /* NULL: null */
void gr__hf_put_labels(gr__str *out, const gr__conf_strings *labels);   /* id2label and label2id */
void gr__hf_put_ints(gr__str *out, const char *key, const gr__conf_ints *list);
void gr__hf_put_doubles(gr__str *out, const char *key, const gr__conf_doubles *list);
void gr__hf_put_raw(gr__str *out, const char *key, const char *json);

#endif
