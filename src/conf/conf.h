/* The configuration tree: what a YAML file, overrides and the program itself say, before any schema gives it types.
 *
 *   map    key: value pairs in the order of the file     {first -> next -> ...}, each with a key
 *   seq    a list                                        {first -> next -> ...}, keys are NULL
 *   scalar the text as written (quotes removed, ${NAME} filled in)
 *
 * Every node remembers where it came from, so that a failure shows the place. All nodes and texts live in the arena
 * that the caller passes; nothing is freed one by one. */
#ifndef GR__CONF_H
#define GR__CONF_H

#include "base/arena.h"
#include "base/str.h"

typedef enum gr__conf_kind { GR__CONF_SCALAR, GR__CONF_MAP, GR__CONF_SEQ, GR__CONF_KIND_COUNT } gr__conf_kind;

/* Where text came from. */
typedef struct gr__conf_source {
    const char *name; /* a path, or "override", ... */
    const char *text; /* all of it; NULL for nodes that the program made */
    size_t n;
    bool is_file; /* messages give line and column only for files */
} gr__conf_source;

typedef struct gr__conf {
    gr__conf_kind kind;
    bool quoted;      /* scalar: was written in quotes, so that "" and "null" are texts */
    const char *key;  /* in a map */
    const char *text; /* scalar; "" otherwise */
    struct gr__conf *first, *last, *next;
    size_t count; /* children */
    const gr__conf_source *source;
    int line, column;         /* of the value, from 1; 0: none */
    int key_line, key_column; /* of the key */
} gr__conf;

/* ---- reading ---- */

/* A YAML file: one document whose root is a map. Anchors, aliases, tags, duplicate keys, more than one document, more
 * than 1 MiB or 64 levels are refused. ${NAME} in a scalar is the environment variable (GRADUS_DATA: "../shared/data"
 * when unset), $${NAME} the text ${NAME}.
 * Status: GR_ERR_CONFIG with file:line:column, GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_MEMORY. */
gr_status gr__conf_load(const char *path, gr__arena *arena, gr__conf **out);
/* The same from memory; 'name' stands in messages. */
gr_status gr__conf_parse(const char *text, size_t n, const char *name, gr__arena *arena, gr__conf **out);
/* One value of any kind, copied from 'text'. What starts with [ { " or ' is YAML; else the text is the scalar. */
gr_status gr__conf_parse_value(const char *text, const gr__conf_source *source, int column, gr__arena *arena,
                               gr__conf **out);

/* "train.lr=1e-3", "model.hidden=[128, 64]", "data.files.0=x": creates or replaces the node at the dotted path.
 * 'origin' stands in messages ("override", "GRADUS_TRAIN_LR"). A scalar on the way becomes a map that keeps the
 * scalar under the key "" (the main value; see schema.h). */
gr_status gr__conf_override(gr__conf *root, const char *assignment, const char *origin, gr__arena *arena);

/* ---- looking ---- */

/* NULL where it is absent or the node is NULL or not a map. */
const gr__conf *gr__conf_get(const gr__conf *map, const char *key);
/* By dotted path ("train.lr"; a number indexes a list). */
const gr__conf *gr__conf_find(const gr__conf *root, const char *path);
/* Text of the scalar there, else 'otherwise'. */
const char *gr__conf_text(const gr__conf *root, const char *path, const char *otherwise);
/* The main value of a section, which may stand alone: the scalar itself, the member 'key', or what an override left under
 * "". NULL or null: it is not given. */
const gr__conf *gr__conf_main(const gr__conf *section, const char *key);
/* Not given: NULL, or unquoted "", "~" or "null". */
bool gr__conf_is_null(const gr__conf *node);
/* "train.yaml:13:3", "override", "default" into fresh arena memory; NULL when out of memory. */
const char *gr__conf_origin(const gr__conf *node, gr__arena *arena);
/* "text", "a map", "a list" */
const char *gr__conf_kind_name(gr__conf_kind kind);

/* Raises GR_ERR_CONFIG: position, sentence, then the source line and a caret. at_key: points at the key. */
gr_status gr__conf_fail(const gr__conf *node, const char *format, ...) GR_PRINTF(2, 3);
gr_status gr__conf_fail_at_key(const gr__conf *node, const char *format, ...) GR_PRINTF(2, 3);

/* ---- building ---- */

/* NULL when out of memory. */
gr__conf *gr__conf_new(gr__conf_kind kind, gr__arena *arena);
gr__conf *gr__conf_new_text(const char *text, bool quoted, gr__arena *arena);
/* Adds or replaces 'key' in a map (keys are copied); appends to a list where key is NULL. */
gr_status gr__conf_put(gr__conf *parent, const char *key, gr__conf *child, gr__arena *arena);
/* Scalars by dotted path from the root, maps in between made on the way. */
gr_status gr__conf_set(gr__conf *root, const char *path, const char *text, gr__arena *arena);
gr_status gr__conf_set_int(gr__conf *root, const char *path, int64_t value, gr__arena *arena);
gr_status gr__conf_set_double(gr__conf *root, const char *path, double value, gr__arena *arena);
gr_status gr__conf_set_node(gr__conf *root, const char *path, gr__conf *node, gr__arena *arena);
gr__conf *gr__conf_copy(const gr__conf *node, gr__arena *arena); /* deep; sources shared */
/* 'over' wins; maps are merged key by key, everything else is replaced as a whole. 'over' is copied. */
gr_status gr__conf_merge(gr__conf *into, const gr__conf *over, gr__arena *arena);

/* ---- writing ---- */

/* YAML that reads back as the same tree. Deterministic: the order of the tree, block maps, lists of scalars on one
 * line. Out of memory shows in gr__str_check. */
void gr__conf_write_yaml(const gr__conf *node, gr__str *out);

#endif
